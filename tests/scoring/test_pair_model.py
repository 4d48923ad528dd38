"""Trees, calibration, folds and learning without labels, against closed forms, scikit-learn and plain loops."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score

from nrl_dedup.adaptation.co_training import (
    co_train,
    each_others_best,
    pairs_to_learn_from,
)
from nrl_dedup.comparison.columns import Direction
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import calibration_bins, expected_calibration_error
from nrl_dedup.scoring.calibration import Calibration
from nrl_dedup.scoring.pair_model import (
    PairModel,
    load_pair_model,
    save_pair_model,
    unlabelled_model,
)
from nrl_dedup.scoring.trees import Size, Trees, grow, size_for
from nrl_dedup.training.pair_model.boosting import fit_pair_model
from nrl_dedup.training.pair_model.fit_calibration import (
    cross_calibrated,
    fit_calibration,
    isotonic,
    platt,
)
from nrl_dedup.training.pair_model.folds import ad_folds
from nrl_dedup.training.pair_model.group_dropout import with_group_dropout
from nrl_dedup.training.pair_model.training_pairs import training_pairs

NAMES = (
    "words",
    "words_above_mean",
    "words_above_max",
    "photos",
    "photos_above_mean",
    "photos_above_max",
    "price_relative",
)
GROUPS = ("text",) * 3 + ("photos",) * 3 + ("price",)
DIRECTIONS = dict.fromkeys(NAMES[:6], Direction.NEVER_LOWERS)


def made_pairs(
    seed: int, ads: int = 400, others: int = 8
) -> tuple[ComparisonVectors, np.ndarray, np.ndarray, np.ndarray]:
    """Ads 2 i and 2 i + 1 are duplicates; each ad has some other pairs. Photos are missing now and then."""
    draw = np.random.default_rng(seed)
    left = np.concatenate([np.arange(0, ads, 2), np.repeat(np.arange(ads), others)])
    right = np.concatenate([np.arange(1, ads, 2), draw.integers(0, ads, size=ads * others)])
    kept = left // 2 != right // 2
    kept[: ads // 2] = True
    left, right = left[kept], right[kept]
    labels = left // 2 == right // 2
    values = draw.normal(size=(len(labels), len(NAMES))).astype(np.float32)
    values[labels, 1] += 1.5
    values[labels, 4] += 1.5
    values[labels, 6] -= 2
    values[draw.random(len(labels)) < 0.1, 3:6] = np.nan
    return ComparisonVectors(values, NAMES, GROUPS, DIRECTIONS), labels, left, right


def grown(seed: int = 0, rounds: int = 20) -> Trees:
    evidence, labels, *_ = made_pairs(0)
    return grow(evidence, labels, np.ones(len(labels)), rounds=rounds, size=Size(7, 10), seed=seed)


def test_contributions_add_up_to_the_log_odds() -> None:
    evidence, *_ = made_pairs(1)
    trees = grown()
    np.testing.assert_allclose(
        trees.contributions(evidence).sum(axis=1), trees.log_odds(evidence), atol=1e-9
    )
    assert trees.contributions(evidence.take(np.zeros(0, np.int64))).shape == (0, len(NAMES) + 1)


def test_the_first_trees_are_those_of_a_smaller_forest() -> None:
    evidence, *_ = made_pairs(1)
    found = grown(rounds=20).log_odds_after(evidence, (0, 5, 20))
    np.testing.assert_array_equal(found[0], 0)
    for place, rounds in ((1, 5), (2, 20)):
        np.testing.assert_allclose(
            found[place], grown(rounds=rounds).log_odds(evidence), atol=1e-12
        )


@pytest.mark.parametrize("direction", [Direction.NEVER_LOWERS, Direction.NEVER_RAISES])
def test_the_log_odds_follow_the_direction_of_a_column(direction: Direction) -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(2000, len(NAMES))).astype(np.float32)
    noise = draw.normal(size=2000)
    labels = direction * (values[:, 0] + values[:, 4]) + noise < 0  # the wrong way round
    directions = dict.fromkeys(NAMES[:6], direction)
    evidence = ComparisonVectors(values, NAMES, GROUPS, directions)
    trees = grow(evidence, labels, np.ones(2000), rounds=50, size=Size(15, 20))
    before = trees.log_odds(evidence)
    for column in range(6):
        higher = values.copy()
        higher[:, column] += draw.random(2000).astype(np.float32)
        after = trees.log_odds(ComparisonVectors(higher, NAMES, GROUPS))
        assert (direction * (after - before) >= -1e-12).all()


def test_a_column_without_a_direction_may_speak_either_way() -> None:
    values = np.random.default_rng(0).normal(size=(2000, len(NAMES))).astype(np.float32)
    evidence = ComparisonVectors(values, NAMES, GROUPS)
    trees = grow(evidence, values[:, 0] < 0, np.ones(2000), rounds=50, size=Size(15, 20))
    lower, higher = trees.log_odds(evidence.take(values[:, 0].argsort()[[0, -1]]))
    assert lower > higher + 2


def test_columns_are_found_by_name() -> None:
    evidence, *_ = made_pairs(1)
    trees = grown()
    order = np.random.default_rng(0).permutation(len(NAMES))
    mixed = ComparisonVectors(
        evidence.values[:, order],
        tuple(NAMES[at] for at in order),
        tuple(GROUPS[at] for at in order),
    )
    np.testing.assert_array_equal(trees.log_odds(mixed), trees.log_odds(evidence))
    masked = evidence.values.copy()
    masked[:, 6] = np.nan
    without = trees.log_odds(evidence.only(["text", "photos"]))
    np.testing.assert_array_equal(without, trees.log_odds(ComparisonVectors(masked, NAMES, GROUPS)))


def test_trees_are_small_for_few_pairs() -> None:
    assert [size_for(pairs).leaves for pairs in (299, 300, 2_999, 3_000)] == [4, 7, 7, 15]


def test_platt_finds_the_line_that_made_the_labels() -> None:
    draw = np.random.default_rng(0)
    scores = draw.normal(3, 2, size=50_000)
    labels = draw.random(50_000) < expit(0.7 * scores - 2)
    found = platt(scores, labels, np.ones(50_000))
    assert found.slope == pytest.approx(0.7, abs=0.02) and found.intercept == pytest.approx(
        -2, abs=0.06
    )
    twice = platt(np.repeat(scores[:1000], 2), np.repeat(labels[:1000], 2), np.ones(2000))
    heavy = platt(scores[:1000], labels[:1000], np.full(1000, 2.0))
    assert twice.slope == pytest.approx(heavy.slope, rel=1e-3)


def test_a_score_against_the_labels_says_nothing() -> None:
    draw = np.random.default_rng(0)
    scores = draw.normal(size=2000)
    found = platt(scores, draw.random(2000) < expit(-scores), np.ones(2000))
    assert found.slope == 0


def test_bent_calibration_follows_isotonic_regression_and_keeps_the_order() -> None:
    draw = np.random.default_rng(0)
    scores = np.sort(draw.normal(0, 2, size=20_000))
    truth = expit(np.where(scores > 0, 3 * scores, 0.3 * scores) - 1)  # no straight line
    labels = draw.random(20_000) < truth
    bent, straight = (fit(scores, labels, np.ones(20_000)) for fit in (isotonic, platt))
    found = expit(bent(scores))
    steps = IsotonicRegression().fit_transform(scores, labels.astype(float))
    assert np.abs(found - steps).mean() < 0.01
    assert np.abs(found - truth).mean() < np.abs(expit(straight(scores)) - truth).mean() / 2
    assert (np.diff(bent(np.linspace(-30, 30, 5000))) > -1e-12).all()
    assert bent(np.array([30.0]))[0] > bent(np.array([29.0]))[0]
    folds = np.arange(20_000) % 5
    assert fit_calibration(scores, labels, np.ones(20_000), folds) == bent
    assert Calibration.loaded(bent.saved()) == bent


def test_a_folds_own_labels_do_not_move_its_calibration() -> None:
    draw = np.random.default_rng(0)
    scores, folds, ones = draw.normal(size=3000), np.arange(3000) % 3, np.ones(3000)
    labels = draw.random(3000) < expit(2 * scores - 1)
    found = cross_calibrated(scores, labels, ones, folds)
    assert np.abs(expit(found) - expit(2 * scores - 1)).mean() < 0.03
    other = cross_calibrated(scores, np.where(folds == 1, ~labels, labels), ones, folds)
    np.testing.assert_array_equal(other[folds == 1], found[folds == 1])
    assert (other[folds != 1] != found[folds != 1]).any()


def test_folds_keep_ads_and_their_duplicates_together() -> None:
    draw = np.random.default_rng(0)
    left, right = draw.integers(0, 300, size=(2, 900))
    left, right = left[left != right], right[left != right]
    labels = draw.random(len(left)) < 0.15
    fold_l, fold_r = ad_folds(left, right, labels)
    graph = nx.Graph([(a, b) for a, b, same in zip(left, right, labels, strict=True) if same])
    graph.add_nodes_from(np.concatenate([left, right]).tolist())
    of_ad = dict(zip(left.tolist(), fold_l.tolist(), strict=True)) | dict(
        zip(right.tolist(), fold_r.tolist(), strict=True)
    )
    for a, b, one, other in zip(left.tolist(), right.tolist(), fold_l, fold_r, strict=True):
        assert (of_ad[a], of_ad[b]) == (one, other)
    assert all(len({of_ad[ad] for ad in group}) == 1 for group in nx.connected_components(graph))
    assert set(fold_l.tolist()) == {0, 1, 2, 3, 4}


def test_each_others_best() -> None:
    left, right = np.array([0, 0, 1, 3, 4]), np.array([1, 2, 2, 4, 5])
    scores = np.array([0.5, 0.9, 0.7, 0.3, 0.3])
    np.testing.assert_array_equal(
        each_others_best(scores, left, right), [False, True, False, True, True]
    )


def test_views_teach_each_other_what_neither_knew() -> None:
    evidence, _, left, right = made_pairs(0)
    model = unlabelled_model(co_train(evidence, left, right))
    test, truth, *_ = made_pairs(1)
    start = np.nansum(test.columns(["words_above_mean", "photos_above_mean"]), axis=1)
    found = average_precision_score(truth, model.log_odds(test))
    # Price was not in the start: it was learned, and the right way round.
    assert found > average_precision_score(truth, start) + 0.1
    assert model.views is not None and set(model.views.trees) == {"text", "photos", "price"}
    again = unlabelled_model(co_train(evidence, left, right))
    np.testing.assert_array_equal(again.log_odds(test), model.log_odds(test))


def test_the_prior_agrees_with_the_mean_probability() -> None:
    evidence, _, left, right = made_pairs(0)
    views = co_train(evidence, left, right)
    assert expit(views.log_odds(evidence)).mean() == pytest.approx(
        float(expit(np.array([views.prior]))[0]), abs=1e-4
    )


def test_words_alone_teach_themselves() -> None:
    evidence, labels, left, right = made_pairs(0)
    model = unlabelled_model(co_train(evidence.only(["text"]), left, right))
    assert average_precision_score(labels, model.log_odds(evidence)) > 2 * labels.mean()


def test_too_few_candidates_are_refused() -> None:
    evidence, _, left, right = made_pairs(0)
    with pytest.raises(NrlDedupError, match="wants 20 pairs"):
        co_train(evidence.take(np.arange(10)), left[:10], right[:10])


def test_pairs_to_learn_from_are_all_those_of_some_ads() -> None:
    left, right = np.random.default_rng(0).integers(0, 1000, size=(2, 20_000))
    np.testing.assert_array_equal(pairs_to_learn_from(left, right), np.arange(20_000))
    kept = pairs_to_learn_from(left, right, most=5_000)
    assert 4_000 < len(kept) < 6_000
    rest = np.setdiff1d(np.arange(20_000), kept)
    whole = set(range(1000)) - set(left[rest].tolist()) - set(right[rest].tolist())
    assert all(left[pair] in whole or right[pair] in whole for pair in kept)


@pytest.mark.parametrize("with_views", [False, True])
def test_a_fitted_model_ranks_and_is_calibrated_on_ads_it_never_saw(with_views: bool) -> None:
    evidence, labels, left, right = made_pairs(0, ads=2000)
    views = co_train(evidence, left, right) if with_views else None
    model = fit_pair_model(evidence, labels, left, right, views=views).model
    test, truth, *_ = made_pairs(1, ads=2000)
    log_odds = model.log_odds(test)
    known = np.nan_to_num(test.values, nan=0.0)
    # The log-likelihood ratio that made the data: shifts of 1.5, 1.5 and -2 of standard normal columns.
    best = (
        1.5 * known[:, 1]
        + np.where(np.isnan(test.values[:, 4]), 0, 1.5 * known[:, 4] - 1.5**2 / 2)
        - 2 * known[:, 6]
    )
    assert average_precision_score(truth, log_odds) > average_precision_score(truth, best) - 0.03
    assert (
        expected_calibration_error(calibration_bins(truth, log_odds, np.ones(len(truth)))) or 0
    ) < 0.02
    np.testing.assert_allclose(
        np.sum(list(model.contributions(test).values()), axis=0), log_odds, atol=1e-6
    )


def test_the_log_odds_of_the_pairs_themselves_are_of_models_that_did_not_see_them() -> None:
    evidence, truth, left, right = made_pairs(0)
    fitted = fit_pair_model(evidence, truth, left, right)
    assert average_precision_score(truth, fitted.log_odds) == pytest.approx(
        average_precision_score(made_pairs(1)[1], fitted.model.log_odds(made_pairs(1)[0])), abs=0.06
    )
    error = expected_calibration_error(
        calibration_bins(truth, fitted.log_odds, np.ones(len(truth)))
    )
    assert (error or 0) < 0.03
    noise = (
        np.random.default_rng(1).random(len(left)) < 0.2
    )  # there is nothing to learn, but by heart
    fitted = fit_pair_model(evidence, noise, left, right)
    assert average_precision_score(noise, fitted.log_odds) < noise.mean() + 0.05


def test_weights_count_as_copies_do() -> None:
    evidence, labels, left, right = made_pairs(0)
    weights = np.where(labels, 1.0, 5.0)
    plain, heavy = (
        fit_pair_model(evidence, labels, left, right, weights=w).model for w in (None, weights)
    )
    shift = np.mean(plain.log_odds(evidence) - heavy.log_odds(evidence))
    assert shift == pytest.approx(np.log(5), abs=0.5)


def test_copies_lack_whole_groups() -> None:
    evidence, *_ = made_pairs(0)
    pairs = len(evidence)
    found, pair = with_group_dropout(evidence, seed=3)
    np.testing.assert_array_equal(found.values[:pairs], evidence.values)
    np.testing.assert_array_equal(pair[:pairs], np.arange(pairs))
    assert len(np.unique(pair[pairs:])) == len(found) - pairs == round(pairs / 2)
    seen = Counter()
    for row, original in zip(found.values[pairs:], evidence.values[pair[pairs:]], strict=True):
        lacking = {group for group in set(GROUPS) if np.isnan(row[np.array(GROUPS) == group]).all()}
        lacking -= {
            group for group in lacking if np.isnan(original[np.array(GROUPS) == group]).all()
        }
        kept = ~np.isin(GROUPS, list(lacking))
        np.testing.assert_array_equal(row[kept], original[kept])
        seen[frozenset(lacking)] += 1
    assert {len(lacking) for lacking in seen} == {
        0,
        1,
        2,
    }  # 0: photos were not there in the first place
    assert (
        min(seen[frozenset(lacking)] for lacking in (["text"], ["price"], ["text", "price"]))
        > pairs / 2 / 6 * 0.8
    )
    alone, pair = with_group_dropout(evidence.only(["text"]))
    assert len(alone) == len(pair) == pairs


def without_group(evidence: ComparisonVectors, pairs: np.ndarray, group: str) -> ComparisonVectors:
    """What these pairs say by the group left out."""
    hidden = pairs[:, None] & (np.array(evidence.groups) == group)
    return ComparisonVectors(
        np.where(hidden, np.float32(np.nan), evidence.values), evidence.names, evidence.groups
    )


@pytest.mark.parametrize("with_views", [False, True])
def test_a_model_does_without_a_group_that_it_was_fitted_with(with_views: bool) -> None:
    evidence, labels, left, right = made_pairs(0, ads=2000)
    test, truth, *_ = made_pairs(1, ads=2000)
    fits = []
    for fitted_to in (evidence, evidence.only(["text", "photos"])):
        views = co_train(fitted_to, left, right) if with_views else None
        fits.append(fit_pair_model(fitted_to, labels, left, right, views=views).model)
    every = np.ones(len(test), dtype=bool)
    without = fits[0].log_odds(without_group(test, every, "price"))
    never = fits[1].log_odds(test)
    assert average_precision_score(truth, without) > average_precision_score(truth, never) - 0.02
    assert (
        expected_calibration_error(calibration_bins(truth, without, np.ones(len(truth)))) or 0
    ) < 0.03
    # Prices of duplicates are two deviations closer: one is much more likely for a duplicate, one for others.
    low, high = (
        fits[0].log_odds(
            ComparisonVectors(
                np.where(np.arange(7) == 6, np.float32(price), test.values), NAMES, GROUPS
            )
        )
        for price in (-3, 1)
    )
    assert np.mean((without < low) & (without > high)) > 0.95


def test_a_group_that_is_not_there_says_nothing_to_its_view() -> None:
    evidence, _, left, right = made_pairs(0)
    views = co_train(evidence, left, right)
    half = np.arange(len(evidence)) % 2 == 0
    plain, without = views.ratios(evidence), views.ratios(without_group(evidence, half, "price"))
    np.testing.assert_array_equal(without["price"], np.where(half, 0, plain["price"]))
    np.testing.assert_array_equal(without["text"], plain["text"])
    assert (plain["photos"][np.isnan(evidence.values[:, 3:6]).all(axis=1)] == 0).all()


def test_few_labels_are_enough_on_top_of_views() -> None:
    evidence, labels, left, right = made_pairs(0, ads=1000)
    views = co_train(evidence, left, right)
    some = np.concatenate([np.flatnonzero(labels)[:12], np.flatnonzero(~labels)[:40]])
    model = fit_pair_model(
        evidence.take(some), labels[some], left[some], right[some], views=views
    ).model
    test, truth, *_ = made_pairs(1, ads=1000)
    alone = average_precision_score(truth, unlabelled_model(views).log_odds(test))
    assert average_precision_score(truth, model.log_odds(test)) > alone - 0.02


def test_too_few_labels_are_refused() -> None:
    evidence, labels, left, right = made_pairs(0)
    some = np.concatenate([np.flatnonzero(labels)[:9], np.flatnonzero(~labels)[:40]])
    with pytest.raises(NrlDedupError, match="found 9 and 40"):
        fit_pair_model(evidence.take(some), labels[some], left[some], right[some])


def test_one_group_with_all_duplicates_can_be_fitted() -> None:
    evidence, _, left, right = made_pairs(0)
    labels = (left < 8) & (right < 8)
    labels[np.flatnonzero((left < 8) ^ (right < 8))] = False
    left = np.where(labels, 0, left)
    labels[:15] = True
    left[:15], right[:15] = 0, np.arange(1, 16)
    assert fit_pair_model(evidence, labels, left, right).log_odds.shape == labels.shape


@pytest.mark.parametrize("kind", ["views", "labels", "both"])
def test_a_saved_model_is_the_same_model(kind: str, tmp_path: Path) -> None:
    evidence, labels, left, right = made_pairs(0)
    views = co_train(evidence, left, right)
    model = unlabelled_model(views)
    if kind != "views":
        model = fit_pair_model(
            evidence, labels, left, right, views=views if kind == "both" else None
        ).model
    save_pair_model(model, tmp_path)
    found = load_pair_model(tmp_path)
    assert found == model
    np.testing.assert_array_equal(found.log_odds(evidence), model.log_odds(evidence))
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".txt"}


@pytest.mark.parametrize("damage", ["missing", "cut", "no tree", "json", "version", "slope"])
def test_a_damaged_model_is_refused(damage: str, tmp_path: Path) -> None:
    evidence, labels, left, right = made_pairs(0)
    save_pair_model(fit_pair_model(evidence, labels, left, right).model, tmp_path)
    about, trees = tmp_path / "evidence.json", tmp_path / "correction.txt"
    if damage == "missing":
        trees.unlink()
    elif damage == "cut":
        trees.write_text(trees.read_text("utf-8")[:2000], "utf-8")
    elif damage == "no tree":
        trees.write_text("tree", "utf-8")
    elif damage == "json":
        about.write_text("{", "utf-8")
    elif damage == "version":
        about.write_text(about.read_text("utf-8").replace('"version": 2', '"version": 7'), "utf-8")
    else:
        about.write_text(
            about.read_text("utf-8").replace('"slope": ', '"slope": "x", "old": '), "utf-8"
        )
    with pytest.raises(NrlDedupError, match="version 7" if damage == "version" else "damaged"):
        load_pair_model(tmp_path)


def test_models_compare_by_value() -> None:
    assert PairModel(None, Calibration(1.0, 0.0), grown(), Calibration(1.0, 0.0)) == PairModel(
        None, Calibration(1.0, 0.0), grown(), Calibration(1.0, 0.0)
    )


def test_candidates_of_labelled_ads_are_fitted_to_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nrl_dedup.training.pair_model.training_pairs.NEGATIVES", 2)
    draw = np.random.default_rng(0)
    left, right = np.array([0, 1, 5, 2, 9]), np.array([1, 2, 6, 7, 8])
    labels = np.array([True, True, True, False, False])
    candidates = np.array(
        [pair for pair in combinations(range(14), 2) if draw.random() < 0.8 or pair == (0, 2)]
    )
    candidates[::2] = candidates[::2, ::-1]  # in either order
    found = training_pairs(left, right, labels, *candidates.T)

    groups = nx.Graph([(0, 1), (1, 2), (5, 6)])
    labelled = {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    proposed = {frozenset(pair) for pair in candidates.tolist()}
    inside = {pair for pair in proposed - labelled if pair <= {0, 1, 2, 5, 6, 7, 8, 9}}
    same = {pair for pair in inside if pair <= set(groups) and nx.has_path(groups, *pair)}
    pairs = [
        frozenset(pair)
        for pair in zip(found.distinct_l.tolist(), found.distinct_r.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(found.distinct_l[:5], left)
    np.testing.assert_array_equal(found.labels[:5], labels)
    np.testing.assert_array_equal(found.labelled, np.arange(len(pairs)) < 5)
    np.testing.assert_array_equal(
        found.sampling_weight[:5], [pair in proposed for pair in pairs[:5]]
    )
    assert len(set(pairs)) == len(pairs)
    assert (
        {pair for pair, label in zip(pairs[5:], found.labels[5:], strict=True) if label}
        == same
        == {frozenset((0, 2))}
    )
    others = [at for at in range(5, len(pairs)) if not found.labels[at]]
    assert {pairs[at] for at in others} <= inside - same and len(others) == 2 * (3 + 1)
    assert found.sampling_weight[others].sum() == pytest.approx(len(inside - same))


def test_candidates_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nrl_dedup.training.pair_model.training_pairs.MAX_PAIRS", 9)
    left, right = np.array([0, 2, 4]), np.array([1, 3, 5])
    candidates = np.array(list(combinations(range(6), 2)))
    found = training_pairs(left, right, np.array([True, True, False]), *candidates.T)
    assert (
        len(found.labels) == 9 and found.sampling_weight.tolist() == [1] * 3 + [2] * 6
    )  # of twelve others


def test_no_candidates_leave_the_labelled_pairs() -> None:
    nothing = np.zeros(0, np.int64)
    found = training_pairs(
        np.array([0, 1]), np.array([2, 3]), np.array([True, False]), nothing, nothing
    )
    assert found.labels.tolist() == [True, False] and found.sampling_weight.tolist() == [0, 0]


def test_calibration_follows_the_pairs_that_are_to_be_scored() -> None:
    evidence, labels, left, right = made_pairs(0, ads=2000, others=20)
    draw = np.random.default_rng(1)
    drawn = labels | (draw.random(len(labels)) < 0.1)
    few = evidence.take(drawn), labels[drawn], left[drawn], right[drawn]
    fitted = fit_pair_model(*few, sampling_weight=np.where(labels[drawn], 1.0, 10.0))
    test, truth, *_ = made_pairs(2, ads=2000, others=20)
    log_odds = fitted.model.log_odds(test)
    assert expit(log_odds).sum() == pytest.approx(truth.sum(), rel=0.2)
    plain = fit_pair_model(*few)
    assert expit(plain.model.log_odds(test)).sum() > 1.5 * truth.sum()
    lost = fit_pair_model(
        *few, sampling_weight=np.zeros(drawn.sum())
    )  # blocking proposes none: as without
    np.testing.assert_array_equal(lost.log_odds, plain.log_odds)


def test_a_model_can_be_calibrated_to_the_labelled_pairs_as_well() -> None:
    evidence, labels, left, right = made_pairs(0, ads=2000, others=20)
    draw = np.random.default_rng(1)
    labelled = labels | (draw.random(len(labels)) < 0.05)
    fitted = fit_pair_model(evidence, labels, left, right)
    among = fitted.among(labelled, labels)
    test, truth, *_ = made_pairs(2, ads=2000, others=20)
    enriched = np.flatnonzero(truth | (draw.random(len(truth)) < 0.05))
    found, whole = (
        among.model.log_odds(test.take(enriched)),
        fitted.model.log_odds(test.take(enriched)),
    )

    def error(log_odds: np.ndarray, labels: np.ndarray) -> float:
        return (
            expected_calibration_error(calibration_bins(labels, log_odds, np.ones(len(labels))))
            or 0
        )

    assert error(found, truth[enriched]) < 0.04 < 0.1 < error(whole, truth[enriched])
    assert error(among.log_odds, labels[labelled]) < 0.04
    # The share of other pairs that were drawn moves the log-odds by its logarithm (King and Zeng, 2001).
    assert np.median(found - whole) == pytest.approx(-np.log(0.05), abs=0.5)
