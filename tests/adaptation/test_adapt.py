"""A catalogue of variants: what adapting brings, when it is refused, and that it is the same each time."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from measuring import variants
from scipy.special import expit

import nrl_dedup
from nrl_dedup.adaptation.adapt import DrawnPairs, draw_pairs, expect, provisional_clusters
from nrl_dedup.api import Duplicates
from nrl_dedup.bundle.load import Bundle
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import SILENT, Task
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.adapted_model import AdaptedModel
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.score import EvidenceScorer


class Heard:
    """A listener that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Task]:
        with SILENT.task(what, total) as task:
            yield task

    def say(self, message: str) -> None:
        self.lines.append(message)

    def warn(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return nrl_dedup.load_model(device="cpu")


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    """200 things in two variants, which differ in a code, number, size or colour; 80 are posted twice, in other
    words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "THINGS", 200)
        return variants.catalogue(variants.ENGLISH, 2, 80, seed=0)


def link(
    frame: pl.DataFrame, model: Bundle, folder: Path, adapt: bool | None = None
) -> tuple[Duplicates, str]:
    path = folder / "catalogue.csv"
    frame.select("item_id", "title", "description").write_csv(path)
    heard = Heard()
    found = nrl_dedup.link(
        path, model=model, adapt=adapt, work_dir=folder, device="cpu", progress=heard
    )
    return found, "\n".join(heard.lines)


@pytest.fixture(scope="module")
def adapted(
    made: pl.DataFrame, shipped: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Duplicates, str]:
    return link(made, shipped, tmp_path_factory.mktemp("adapted"))


def judged(links: pl.DataFrame, made: pl.DataFrame) -> tuple[int, int]:
    """How many links are right, and how many join two variants of one thing."""
    variant_of = dict(made.select("item_id", "variant").iter_rows())
    thing_of = dict(made.select("item_id", "thing").iter_rows())
    right = siblings = 0
    for one, other in links.select("item_id_l", "item_id_r").iter_rows():
        is_right = variant_of[one] == variant_of[other]
        right += is_right
        siblings += thing_of[one] == thing_of[other] and not is_right
    return right, siblings


def test_variants_are_kept_apart_and_duplicates_found(
    adapted: tuple[Duplicates, str], made: pl.DataFrame, shipped: Bundle, tmp_path: Path
) -> None:
    found, said = adapted
    assert "Adapted to this catalogue" in said
    right, siblings = judged(found.links, made)
    assert right >= 0.8 * 80 and siblings <= len(found.links) / 20
    without, said = link(made, shipped, tmp_path, adapt=False)
    assert "dapted to" not in said
    _, siblings_without = judged(without.links, made)
    assert siblings_without > 10 * siblings


def scorer_of(found: Duplicates) -> EvidenceScorer:
    scorer = found.result.scorer
    assert isinstance(scorer, EvidenceScorer)
    return scorer


def test_contributions_of_links_sum_to_their_log_odds(adapted: tuple[Duplicates, str]) -> None:
    links = adapted[0].links
    assert {"base", "text", "codes", "rivals"} == set(links.columns[3:])
    summed = links[:, 3:].cast(pl.Float64).sum_horizontal().to_numpy()
    assert expit(summed) == pytest.approx(links["score"].to_numpy(), abs=1e-5)


def test_an_adapted_scorer_is_symmetric_and_can_be_sent_to_a_worker(
    adapted: tuple[Duplicates, str],
) -> None:
    scorer = scorer_of(adapted[0])
    assert isinstance(scorer.model, AdaptedModel)
    left, right = np.random.default_rng(0).integers(0, 400, size=(2, 200))
    left, right = left[left != right], right[left != right]
    plain = scorer.logits(left, right)
    np.testing.assert_allclose(scorer.logits(right, left), plain, atol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scorer)).logits(left, right), plain)


def test_the_same_catalogue_gives_the_same_model(
    adapted: tuple[Duplicates, str], made: pl.DataFrame, shipped: Bundle, tmp_path: Path
) -> None:
    again, said = link(made.reverse(), shipped, tmp_path)
    assert scorer_of(again).model == scorer_of(adapted[0]).model and said == adapted[1]
    assert again.links.equals(adapted[0].links)


@pytest.mark.parametrize("ads", [1, 2, 3, 10, 40])
def test_a_small_catalogue_is_not_adapted(
    ads: int, made: pl.DataFrame, shipped: Bundle, tmp_path: Path
) -> None:
    found, said = link(made.head(ads), shipped, tmp_path)
    assert "Not adapted to this catalogue" in said and isinstance(scorer_of(found).model, PairModel)
    if ads > 1:
        assert "wants 20 pairs that are likely duplicates" in said
    as_it_is, _ = link(made.head(ads), shipped, tmp_path, adapt=False)
    assert found.links.equals(as_it_is.links)


def drawn_pairs(left: list[int], right: list[int], ads: int) -> DrawnPairs:
    nothing = ComparisonVectors(np.empty((len(left), 0), np.float32), (), ())
    return DrawnPairs(np.array(left), np.array(right), np.ones(ads, dtype=bool), nothing)


def test_ads_without_a_second_candidate_are_too_little_to_learn_from() -> None:
    with pytest.raises(NrlDedupError, match="no ad has two candidates"):
        expect(np.array([1.0, 2.0]), drawn_pairs([0, 2], [1, 3], 4))


def test_the_expected_links_are_those_of_the_true_duplicates() -> None:
    draw = np.random.default_rng(0)
    left, right = np.triu_indices(200, 1)
    is_duplicate = (left % 2 == 0) & (right == left + 1) & (left < 100)  # 50 of 200 ads' pairs
    scores = np.where(is_duplicate, draw.normal(3, 1, len(left)), draw.normal(-8, 1, len(left)))
    found = expect(scores, drawn_pairs(left.tolist(), right.tolist(), 200))
    assert found.links == pytest.approx(50, abs=5) and found.right == pytest.approx(50, abs=5)


def test_provisional_clusters_join_the_surest_pairs() -> None:
    left, right = np.array([0, 1, 2, 4]), np.array([1, 2, 3, 5])
    scores = np.array(
        [5.0, 1.9, -1.0, 2.1]
    )  # from a probability of 0.88 on, which is log-odds 1.99
    found = provisional_clusters(left, right, scores, 7)
    assert found.tolist() == [0, 0, 2, 3, 4, 4, 6]


def test_pairs_are_drawn_with_all_candidates_of_some_ads(
    adapted: tuple[Duplicates, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    blocked = adapted[0].result.blocked
    profiles = scorer_of(adapted[0]).ads
    monkeypatch.setattr("nrl_dedup.adaptation.adapt.MAX_PAIRS", 5_000)
    run = Run(tmp_path, torch.device("cpu"), seed=3)
    drawn = draw_pairs(profiles, blocked, run)
    assert 3_000 < len(drawn.distinct_l) < 7_000
    kept = set(zip(drawn.distinct_l.tolist(), drawn.distinct_r.tolist(), strict=True))
    every = blocked.reference.frame.select("distinct_l", "distinct_r").rows()
    assert kept == {pair for pair in every if drawn.is_drawn[list(pair)].any()}
    again = draw_pairs(profiles, blocked, run)
    np.testing.assert_array_equal(again.distinct_l, drawn.distinct_l)
    np.testing.assert_array_equal(again.evidence.values, drawn.evidence.values)
