"""What is prepared once for every ad of a catalogue, so that its pairs can be compared by the million."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nrl_dedup.blocking.neighbours import Neighbours
from nrl_dedup.comparison.base import Comparison
from nrl_dedup.comparison.column_comparisons import (
    PLACE_COLUMNS,
    NumberColumn,
    TableStatistics,
    ValueColumn,
    column_comparisons,
    column_in_catalogue,
)
from nrl_dedup.comparison.columns import Column
from nrl_dedup.comparison.compared_ads import ComparedAds
from nrl_dedup.comparison.cross_modal import CROSS_MODAL_COLUMNS, cross_modal_comparisons
from nrl_dedup.comparison.identifiers import IDENTIFIER_COLUMNS, identifier_comparisons
from nrl_dedup.comparison.neighbourhoods import known_neighbours
from nrl_dedup.comparison.photo_comparisons import PHOTO_COLUMNS, photo_comparisons
from nrl_dedup.comparison.photo_statistics import PhotoStatistics, ShownPhotos
from nrl_dedup.comparison.similarities import Rows
from nrl_dedup.comparison.text_comparisons import (
    TEXT_COLUMNS,
    TextStatistics,
    text_comparisons,
    word_similarity,
)
from nrl_dedup.comparison.variants import VARIANT_COLUMNS, ExchangedTerms

# The columns whose names do not depend on the catalogue. A model may have some that the catalogue gives no values of.
COLUMNS: dict[str, Column] = {
    **TEXT_COLUMNS,
    **IDENTIFIER_COLUMNS,
    **VARIANT_COLUMNS,
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


def with_exchanged_words(ads: AdProfiles, rows_l: Rows, rows_r: Rows) -> AdProfiles:
    """The same, knowing which words take each other's place in these pairs (`ExchangedTerms.with_words`)."""
    comparisons: list[Comparison] = []
    for comparison in ads.comparisons:
        if isinstance(comparison, ExchangedTerms):
            comparisons.append(comparison.with_words(rows_l, rows_r))
        else:
            comparisons.append(comparison)
    return AdProfiles(tuple(comparisons))


@dataclass(frozen=True)
class CatalogueStatistics:
    """Everything that is fitted to a catalogue's ads, or to a sample of them, and then applied to any ads.

    The neighbourhoods of ads are not among them: they come from the nearest ads of each ad. `photos`: None without
    readable photos.
    """

    text: TextStatistics
    photos: PhotoStatistics | None
    columns: TableStatistics


def fit_statistics(sample: ComparedAds, seed: int = 0) -> CatalogueStatistics:
    """All weights are fitted to these ads, none come from training."""
    photos = None
    if sample.photos is not None:
        photos = PhotoStatistics.fit(sample.photos, sample.sketches, seed)
    text = TextStatistics.fit(sample.terms, seed)
    return CatalogueStatistics(text, photos, TableStatistics.fit(sample.columns))


def build_profiles(
    statistics: CatalogueStatistics, ads: ComparedAds, neighbours: Sequence[Neighbours]
) -> AdProfiles:
    """Prepare ads for comparing.

    :param statistics: fitted to these ads or to others.
    :param neighbours: the nearest ads of each ad in the spaces that blocking searches; at least one space.
    """
    known = known_neighbours(neighbours)
    of_words = word_similarity(ads.terms, statistics.text.words)
    comparisons = text_comparisons(statistics.text, ads, of_words, known)
    comparisons += identifier_comparisons(ads.titles)
    comparisons.append(ExchangedTerms.of(ads.terms.tokens))
    if ads.photos is not None:
        components = None if statistics.photos is None else statistics.photos.components
        shown = ShownPhotos.of(ads.photos, components)
        if statistics.photos is not None:
            comparisons += photo_comparisons(
                statistics.photos, ads.photos, shown, ads.sketches, known
            )
        comparisons += cross_modal_comparisons(of_words, shown.mean(), known)
    comparisons += column_comparisons(statistics.columns, ads.columns)
    return AdProfiles(tuple(comparisons))
