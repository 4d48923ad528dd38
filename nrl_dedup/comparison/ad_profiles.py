"""What is prepared once for every ad of a catalogue, so that its pairs can be compared by the million."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nrl_dedup.blocking.neighbours import Neighbours
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.base import Comparison
from nrl_dedup.comparison.column_comparisons import NumberColumn, ValueColumn, column_comparisons
from nrl_dedup.comparison.cross_modal import cross_modal_comparisons
from nrl_dedup.comparison.neighbourhoods import known_neighbours
from nrl_dedup.comparison.photo_comparisons import ShownPhotos, photo_comparisons
from nrl_dedup.comparison.text_comparisons import text_comparisons, word_similarity
from nrl_dedup.features.network_inputs import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.text.words import Words


@dataclass(frozen=True)
class AdProfiles:
    """Everything that pairs of a catalogue's ads are compared by."""

    parts: tuple[Comparison, ...]

    def known_to(self, names: Collection[str]) -> "tuple[AdProfiles, tuple[str, ...]]":
        """The parts of which a model knows a column, and the catalogue's columns of which it knows none.

        :param names: of all columns of evidence that the model reads.
        """
        nothing = np.zeros(0, np.int64)
        known = [
            part
            for part in self.parts
            if any(name in names for name in part.compare(nothing, nothing))
        ]
        of_columns = [part.name for part in known if isinstance(part, ValueColumn | NumberColumn)]
        columns = [part.name for part in self.parts if isinstance(part, ValueColumn)]
        return AdProfiles(tuple(known)), tuple(name for name in columns if name not in of_columns)


def build_profiles(
    catalogue: Catalogue,
    words: Words,
    photos: AdPhotos | None,
    sketches: PhotoDescriptors | None,
    columns: Mapping[str, pl.Series],
    neighbours: Sequence[Neighbours],
    seed: int = 0,
) -> AdProfiles:
    """Prepare the ads of `catalogue`. All weights come from these ads, none from training.

    :param words: of title and description, by row.
    :param photos: all readable photos of each ad; None for a catalogue of words, as `sketches` then is.
    :param columns: price, category, place and any further column: text by row (`Catalogue.further`).
    :param neighbours: the nearest ads of each ad in the spaces that blocking searches; at least one space.
    """
    known = known_neighbours(neighbours)
    frame = catalogue.frame
    of_words = word_similarity(words)
    parts = text_comparisons(frame["title"], frame["description"], words, of_words, known, seed)
    if photos is not None:
        shown = ShownPhotos.of(photos, seed)
        parts += photo_comparisons(photos, shown, sketches, known, seed)
        parts += cross_modal_comparisons(of_words, shown.mean(), known)
    parts += column_comparisons(columns)
    return AdProfiles(tuple(parts))
