"""What every candidate source may search by."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.text_source import Texts
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors


@dataclass(frozen=True)
class SearchInputs:
    """Some ads of a catalogue. A source names them by their places in `ads`.

    `ads`: rows of the catalogue. `z`: their embeddings, scaled; NaN for an ad with nothing that the network knows.
    `texts`: their words. `photos`: of the whole catalogue; None without photos. `sketches`: descriptors of these
    photos; None if they were not made. `source_of`: the number of the source that each ad is from, whose other ads are
    no candidates of it; None: all ads may be.
    """

    ads: Int64[np.ndarray, "ads"]
    z: Float32[np.ndarray, "ads size"]
    texts: Texts
    photos: AdPhotos | None
    sketches: PhotoDescriptors | None
    source_of: Int64[np.ndarray, "ads"] | None = None

    def has_embedding(self) -> Bool[np.ndarray, "ads"]:
        return ~np.isnan(self.z).any(axis=1)

    def has_words(self) -> bool:
        """Whether any of the ads has a word."""
        return self.texts.counts.nnz > 0

    def has_photos(self) -> bool:
        """Whether any of the ads has a readable photo."""
        if self.photos is None:
            return False
        photo_counts = np.diff(self.photos.offsets)[self.ads]
        return bool((photo_counts > 0).any())
