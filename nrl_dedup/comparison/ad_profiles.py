"""What is prepared once for every ad of a catalogue, so that its pairs can be compared by the million."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from nrl_dedup.blocking.neighbours import Neighbours
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.base import Comparison
from nrl_dedup.comparison.column_comparisons import (
    PLACE_COLUMNS,
    NumberColumn,
    ValueColumn,
    column_comparisons,
    column_in_catalogue,
)
from nrl_dedup.comparison.columns import Column
from nrl_dedup.comparison.cross_modal import CROSS_MODAL_COLUMNS, cross_modal_comparisons
from nrl_dedup.comparison.neighbourhoods import known_neighbours
from nrl_dedup.comparison.photo_comparisons import PHOTO_COLUMNS, ShownPhotos, photo_comparisons
from nrl_dedup.comparison.text_comparisons import TEXT_COLUMNS, text_comparisons, word_similarity
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.text.words import Words

# The columns whose names do not depend on the catalogue. A model may have some that the catalogue gives no values of.
COLUMNS: dict[str, Column] = {
    **TEXT_COLUMNS,
    **PHOTO_COLUMNS,
    **CROSS_MODAL_COLUMNS,
    **PLACE_COLUMNS,
}


def column_named(name: str) -> Column:
    """What a column of comparison vectors is, whether or not the catalogue at hand gives it."""
    if name in COLUMNS:
        return COLUMNS[name]
    return column_in_catalogue(name)


@dataclass(frozen=True)
class AdProfiles:
    """Everything that pairs of a catalogue's ads are compared by. It can be pickled."""

    comparisons: tuple[Comparison, ...]

    def known_to(self, names: Collection[str]) -> "tuple[AdProfiles, tuple[str, ...]]":
        """The comparisons of which a model reads a column, and the catalogue's columns of which it reads none.

        :param names: of all columns that the model reads.
        """
        known: list[Comparison] = []
        catalogue_columns: list[str] = []
        read: set[str] = set()
        for comparison in self.comparisons:
            is_known = any(name in names for name in comparison.columns)
            if is_known:
                known.append(comparison)
            if isinstance(comparison, ValueColumn):
                catalogue_columns.append(comparison.name)
            if is_known and isinstance(comparison, ValueColumn | NumberColumn):
                read.add(comparison.name)
        unknown = [name for name in catalogue_columns if name not in read]
        return AdProfiles(tuple(known)), tuple(unknown)


def build_profiles(
    catalogue: Catalogue,
    words: Words,
    photos: AdPhotos | None,
    sketches: PhotoDescriptors | None,
    columns: Mapping[str, pl.Series],
    neighbours: Sequence[Neighbours],
    seed: int = 0,
) -> AdProfiles:
    """Prepare the ads of `catalogue`. All weights are fitted to these ads, none come from training.

    :param words: of title and description, by row.
    :param photos: all readable photos of each ad; None for a catalogue of words, as `sketches` then is.
    :param columns: price, category, place and any further column: text by row (`Catalogue.further`).
    :param neighbours: the nearest ads of each ad in the spaces that blocking searches; at least one space.
    """
    known = known_neighbours(neighbours)
    frame = catalogue.frame
    of_words = word_similarity(words)
    titles = frame["title"]
    comparisons = text_comparisons(titles, frame["description"], words, of_words, known, seed)
    if photos is not None:
        shown = ShownPhotos.of(photos, seed)
        comparisons += photo_comparisons(photos, shown, sketches, known, seed)
        comparisons += cross_modal_comparisons(of_words, shown.mean(), known)
    comparisons += column_comparisons(columns)
    return AdProfiles(tuple(comparisons))
