"""An ad's words and photos as the network reads them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.text.vocabulary import TokenIds, two_texts


@dataclass(frozen=True)
class Batch:
    """Some ads, ready for the network. `lengths` 0: an ad without words."""

    tokens: Int64[Tensor, "ads words"]
    lengths: Int64[Tensor, "ads"]
    image: Float32[Tensor, "ads *features"]
    has_image: Bool[Tensor, "ads"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            *(
                x.to(device, non_blocking=True)
                for x in (self.tokens, self.lengths, self.image, self.has_image)
            )
        )

    def take(self, ads: Bool[Tensor, "ads"]) -> "Batch":
        """The ads for which `ads` says so."""
        return Batch(self.tokens[ads], self.lengths[ads], self.image[ads], self.has_image[ads])


@dataclass(frozen=True)
class Shown:
    """Which sides of an ad a posting of it shows."""

    words: bool
    photos: bool


@dataclass(frozen=True)
class NetworkInputs:
    """What the network reads of a whole catalogue, on disk and in columns; `photos` None: a catalogue of words.

    `image_shape`: of one photo's features, (size,) or (regions, size).
    """

    tokens: TokenIds
    photos: AdPhotos | None
    image_shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tokens.offsets) - 1

    def lengths(self) -> Int64[np.ndarray, "ads"]:
        """Tokens of each ad; 0 for an ad without words."""
        return np.diff(self.tokens.offsets)

    def has_image(self) -> Bool[np.ndarray, "ads"]:
        """Whether the ad has a readable photo."""
        if self.photos is None:
            return np.zeros(len(self), dtype=bool)
        return np.diff(self.photos.offsets) > 0

    def batch(self, rows: Int64[np.ndarray, "ads"]) -> Batch:
        """These ads with the centre view of their one photo, or the mean of all: what validation and linking see."""
        photos = self.photos
        if photos is None:
            return self._batch(rows, None, np.zeros(len(rows), np.int64))
        at, counts = photos.embedded(rows)
        return self._batch(rows, photos.centre.gather(photos.rows[at]), counts)

    def training_batch(self, rows: Int64[np.ndarray, "ads"], draw: np.random.Generator) -> Batch:
        """These ads, each with a drawn photo of its own, or with all of them (`pool`), in drawn views."""
        photos = self.photos
        if photos is None or photos.views is None or photos.view_rows is None:
            return self.batch(rows)
        at, counts = photos.embedded(rows)
        if photos.pool == "one":
            found = rows[counts > 0]
            first, of_ad = photos.offsets[found], photos.offsets[found + 1] - photos.offsets[found]
            at = first + np.floor(draw.random(len(found)) * of_ad).astype(np.int64)
        view = draw.integers(photos.views.views, size=len(at))
        return self._batch(rows, photos.views.gather(photos.view_rows[at], view), counts)

    def two_views(
        self, rows: Int64[np.ndarray, "ads"], shown: tuple[Shown, Shown], draw: np.random.Generator
    ) -> tuple[Batch, Batch]:
        """Each of these ads twice, as two sellers might post it (`two_texts`, `AdPhotos.dealt_out`).

        :param rows: in any order, each once.
        :param shown: what the first and the second posting show; of the other side they have nothing.
        """
        texts = two_texts(self.tokens, rows, draw)
        photos: list[tuple[np.ndarray | None, np.ndarray]] = [
            (None, np.zeros(len(rows), np.int64))
        ] * 2
        if self.photos is not None:
            photos = list(self.photos.dealt_out(rows, draw))
        both = []
        for what, text, (features, counts) in zip(shown, texts, photos, strict=True):
            if not what.words:
                text = TokenIds(text.values[:0], np.zeros_like(text.offsets))
            if not what.photos:
                features, counts = None, np.zeros_like(counts)
            both.append(self._batch(np.arange(len(rows)), features, counts, text))
        return both[0], both[1]

    def _batch(
        self,
        rows: Int64[np.ndarray, "ads"],
        photos: Float32[np.ndarray, "photos *features"] | None,
        counts: Int64[np.ndarray, "ads"],
        text: TokenIds | None = None,
    ) -> Batch:
        """
        :param photos: ad after ad, of each as many as `counts` says.
        :param text: where `rows` is to be read, in place of the ads' own.
        """
        text = text or self.tokens
        starts = text.offsets[rows]
        lengths = text.offsets[rows + 1] - starts
        place = np.arange(max(1, int(lengths.max(initial=1))))
        real = place < lengths[:, None]
        tokens = np.zeros(real.shape, dtype=np.int64)
        tokens[real] = text.values[(starts[:, None] + place)[real]]
        image = np.zeros((len(rows), *self.image_shape), dtype=np.float32)
        has_image = counts > 0
        if photos is not None and has_image.any():
            image[has_image] = _means(photos, counts[has_image])
        return Batch(
            torch.from_numpy(tokens),
            torch.from_numpy(lengths.astype(np.int64)),
            torch.from_numpy(image),
            torch.from_numpy(has_image),
        )


def _means(
    photos: Float32[np.ndarray, "photos *features"], counts: Int64[np.ndarray, "ads"]
) -> Float32[np.ndarray, "ads *features"]:
    """The mean of each ad's photos, 1 or more; of one photo it is that photo, bit for bit."""
    if counts.max() == 1:
        return photos
    total = np.add.reduceat(photos, np.cumsum(counts) - counts, axis=0)
    return total / counts.astype(np.float32).reshape(-1, *[1] * (photos.ndim - 1))
