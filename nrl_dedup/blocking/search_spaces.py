"""The spaces that candidates are searched in: each is fitted to some ads, and finds the nearest of these or of others.

A space is a frozen dataclass of fitted statistics alone, so that it can be saved.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from nrl_dedup.blocking.backgrounds import BackgroundComponents
from nrl_dedup.blocking.cca_source import CcaProjection, cca_neighbours, fit_cca
from nrl_dedup.blocking.joint_source import joint_neighbours
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.blocking.photo_source import fit_photo_components, photo_neighbours
from nrl_dedup.blocking.search_inputs import SearchInputs
from nrl_dedup.blocking.text_source import fit_frequencies, stems, text_neighbours
from nrl_dedup.features.pca import PrincipalComponents
from nrl_dedup.features.text.inverse_frequencies import InverseFrequencies
from nrl_dedup.runtime.run import Run


@runtime_checkable
class SearchSpace(Protocol):
    """What was fitted to a sample of ads."""

    def search(self, inputs: SearchInputs, list_length: int, run: Run) -> NeighbourLists:
        """The nearest `list_length` of each of the ads of `inputs`, which need not be the sample's."""


@dataclass(frozen=True)
class JointSpace:
    """That of the embeddings. Nothing is fitted: the network was trained."""

    @classmethod
    def fit(cls, inputs: SearchInputs, seed: int) -> "JointSpace":
        return cls()

    def search(self, inputs: SearchInputs, list_length: int, run: Run) -> NeighbourLists:
        """Among the ads that have an embedding of their own."""
        has_embedding = inputs.has_embedding()
        source_of = inputs.source_of
        found = joint_neighbours(
            inputs.z[has_embedding],
            list_length,
            device=run.device,
            seed=run.seed,
            progress=run.progress,
            source_of=None if source_of is None else source_of[has_embedding],
        )
        return found.spread(np.flatnonzero(has_embedding), len(inputs.z))


@dataclass(frozen=True)
class TextAndPhotoSpace:
    """`backgrounds`: None without descriptors of the sample's photos."""

    projection: CcaProjection
    backgrounds: BackgroundComponents | None

    @classmethod
    def fit(cls, inputs: SearchInputs, seed: int) -> "TextAndPhotoSpace | None":
        """None if there is too little to learn from."""
        assert inputs.photos is not None
        projection = fit_cca(inputs.texts, inputs.photos, inputs.ads, seed)
        if projection is None:
            return None
        backgrounds = None
        if inputs.sketches is not None:
            backgrounds = BackgroundComponents.fit(inputs.photos, inputs.sketches, inputs.ads, seed)
        return cls(projection, backgrounds)

    def search(self, inputs: SearchInputs, list_length: int, run: Run) -> NeighbourLists:
        assert inputs.photos is not None
        return cca_neighbours(
            self.projection,
            inputs.texts,
            inputs.photos,
            inputs.ads,
            list_length,
            backgrounds=self._background_vectors(inputs),
            device=run.device,
            seed=run.seed,
            progress=run.progress,
            source_of=inputs.source_of,
        )

    def _background_vectors(self, inputs: SearchInputs) -> Float32[np.ndarray, "ads size"] | None:
        """None if no descriptors of these ads' photos were made."""
        if inputs.sketches is None:
            return None
        if self.backgrounds is None:
            return np.empty((len(inputs.ads), 0), np.float32)
        assert inputs.photos is not None
        return self.backgrounds.vectors(inputs.photos, inputs.sketches, inputs.ads)


@dataclass(frozen=True)
class TextSpace:
    """That of the words' stems."""

    frequencies: InverseFrequencies

    @classmethod
    def fit(cls, inputs: SearchInputs, seed: int) -> "TextSpace":
        pieces = stems(inputs.texts.words)
        return cls(fit_frequencies(inputs.texts, pieces))

    def search(self, inputs: SearchInputs, list_length: int, run: Run) -> NeighbourLists:
        return text_neighbours(
            self.frequencies,
            inputs.texts,
            list_length,
            device=run.device,
            seed=run.seed,
            progress=run.progress,
            source_of=inputs.source_of,
        )


@dataclass(frozen=True)
class PhotoSpace:
    """That of the features of single photos."""

    components: PrincipalComponents

    @classmethod
    def fit(cls, inputs: SearchInputs, seed: int) -> "PhotoSpace":
        assert inputs.photos is not None
        return cls(fit_photo_components(inputs.photos, inputs.ads, seed))

    def search(self, inputs: SearchInputs, list_length: int, run: Run) -> NeighbourLists:
        assert inputs.photos is not None
        return photo_neighbours(
            self.components,
            inputs.photos,
            inputs.ads,
            list_length,
            device=run.device,
            seed=run.seed,
            progress=run.progress,
            source_of=inputs.source_of,
        )
