"""What surrounds a thing in its photos: one seller's photos are alike in their colours and in where these are, though
they show the thing from two sides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nrl_dedup.blocking.photo_source import mean_of_items, shown_photos
from nrl_dedup.features.pca import PrincipalComponents
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.background_descriptors import colours, descriptor_rows, layouts
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors

# Directions that are kept, and how much their cosine weighs. Not tuned.
LAYOUT_SIZE = 48
LAYOUT_WEIGHT = 0.2
COLOURS_SIZE = 32
COLOURS_WEIGHT = 0.1
POWER = 0.5  # half way between the plain components (0) and components of equal variance (1). Not tuned.

Ads = Int64[np.ndarray, "ads"]
Stored = Shaped[np.ndarray, "some"]
Vectors = Float32[np.ndarray, "some size"]


@dataclass(frozen=True)
class BackgroundComponents:
    """The principal components, half whitened, of the layouts of colours and of the colours of a sample's photos."""

    layout: PrincipalComponents
    colours: PrincipalComponents

    @classmethod
    def fit(
        cls, photos: AdPhotos, sketches: PhotoDescriptors, ads: Ads, seed: int = 0
    ) -> "BackgroundComponents | None":
        """None where none of the ads' photos has a descriptor.

        :param photos, sketches: of the catalogue that `ads` are rows of.
        """
        distinct = np.unique(shown_photos(photos, ads).items)
        rows = descriptor_rows(photos, sketches, distinct)
        rows = rows[rows >= 0]
        if not len(rows):
            return None
        of_layout = partial(_read, layouts, sketches.stored, rows)
        of_colours = partial(_read, colours, sketches.stored, rows)
        return cls(
            PrincipalComponents.fit(of_layout, len(rows), LAYOUT_SIZE, POWER, seed),
            PrincipalComponents.fit(of_colours, len(rows), COLOURS_SIZE, POWER, seed),
        )

    def vectors(self, photos: AdPhotos, sketches: PhotoDescriptors, ads: Ads) -> Vectors:
        """The mean, over the photos of each of some ads, of vectors whose product is 0.2 times the cosine of two
        photos' layouts and 0.1 times that of their colours; 0 of an ad without photos.

        :param photos, sketches: of the catalogue that `ads` are rows of, which may be another than the sample's.
        """
        shown = shown_photos(photos, ads)
        distinct, number = np.unique(shown.items, return_inverse=True)
        descriptor_row = descriptor_rows(photos, sketches, distinct)
        known = np.flatnonzero(descriptor_row >= 0)
        rows = descriptor_row[known]
        of_layout = partial(_read, layouts, sketches.stored, rows)
        of_colours = partial(_read, colours, sketches.stored, rows)
        layout_vectors = self.layout.unit_vectors(of_layout, len(rows))
        colours_vectors = self.colours.unit_vectors(of_colours, len(rows))
        layout_part = np.float32(np.sqrt(LAYOUT_WEIGHT)) * layout_vectors
        colours_part = np.float32(np.sqrt(COLOURS_WEIGHT)) * colours_vectors
        of_known = np.concatenate([layout_part, colours_part], axis=1)
        size = of_known.shape[1]
        vectors = np.zeros((len(distinct), size), np.float32)
        vectors[known] = of_known
        found = np.zeros((len(ads), size), np.float32)
        has_photos, means = mean_of_items(shown, vectors[number])
        found[has_photos] = means
        return found


def _read(
    decode: Callable[[Stored], Vectors],
    stored: Shaped[np.ndarray, "rows"],
    rows: Int64[np.ndarray, "photos"],
    some: Int64[np.ndarray, "some"],
) -> Vectors:
    return decode(stored[rows[some]])
