"""fit_agreement(): what the agreement of codes, numbers and sizes is worth in the catalogue at hand, without labels.

The weights are log(m / u) (Fellegi and Sunter, 1969). The pairs that everything else takes for duplicates show how
often duplicates agree (m); the next best candidates of the same ads show how often the others do that come into
question (u). So a veto is learned where variants differ in one code, and none where shops have codes of their own.
"""

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nrl_dedup.adaptation.co_training import each_others_best, likely_duplicates
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.comparison.identifiers import IDENTIFIER_COLUMNS, Agreement
from nrl_dedup.comparison.variants import EXCHANGED_WORDS, VARIANT
from nrl_dedup.scoring.agreement_weights import AgreementWeights
from nrl_dedup.tables import DistinctRows

STEPS = 4  # after three the weights hardly move. Not tuned.
NEXT_BEST = 3  # candidates of either ad, after its best one, that stand for the others. Not tuned.
# Pairs by which m and u are drawn together: with fewer than so many pairs of a kind, its weights are small. Not tuned.
PRIOR_PAIRS = 10.0
# Log-odds of two ads that differ in codes, numbers and exchangeable words alone. No catalogue is asked: where a thing
# has two variants, these are each other's best, so that everything would take them for duplicates. In five open
# catalogues, 40 of 1,589 such pairs are duplicates, as against most pairs of so equal texts.
VARIANT_WEIGHT = -10.0
_SMALLEST_SHARE = 1e-9  # so that the logarithm of a share is finite

Scores = Float64[np.ndarray, "pairs"]


def fit_agreement(
    base: Scores, evidence: ComparisonVectors, distinct_l: DistinctRows, distinct_r: DistinctRows
) -> AgreementWeights:
    """Weights of every column of identifiers that some pair has.

    Each kind is learned from `base` and the other kinds, never from itself, in `STEPS` rounds.

    :param base: the log-odds of each candidate pair by everything but the identifiers.
    """
    names = [name for name in (*IDENTIFIER_COLUMNS, EXCHANGED_WORDS) if _is_known(evidence, name)]
    fixed: dict[str, tuple[float, ...]] = {}
    if _is_known(evidence, VARIANT):
        fixed[VARIANT] = (VARIANT_WEIGHT,)
    weights = AgreementWeights(fixed)
    for _ in range(STEPS):
        added = weights.added(evidence)
        total = base + weights.log_odds(evidence)
        of_column = dict(fixed)
        for name in names:
            teacher = total - added[name] if name in added else total
            likely, others = _pairs_to_count(teacher, distinct_l, distinct_r)
            agreement = evidence.columns([name])[:, 0]
            of_column[name] = _log_ratios(agreement[likely], agreement[others])
        weights = AgreementWeights(of_column)
    return weights


def _is_known(evidence: ComparisonVectors, name: str) -> bool:
    return bool(np.isfinite(evidence.columns([name])).any())


def _pairs_to_count(
    teacher: Scores, distinct_l: DistinctRows, distinct_r: DistinctRows
) -> tuple[Int64[np.ndarray, "likely"], Int64[np.ndarray, "others"]]:
    """The numbers of the pairs that are likely duplicates, and of the next best candidates of their ads, a pair of two
    such ads once for each.
    """
    mutual = each_others_best(teacher, distinct_l, distinct_r)
    likely = likely_duplicates(teacher, mutual)
    ads = np.unique(np.concatenate([distinct_l[likely], distinct_r[likely]]))
    number = np.arange(len(distinct_l))
    left = pl.DataFrame({"ad": distinct_l, "pair": number, "score": teacher})
    right = pl.DataFrame({"ad": distinct_r, "pair": number, "score": teacher})
    of_ads = pl.concat([left, right]).filter(pl.col("ad").is_in(ads.tolist()))
    ordered = of_ads.sort("ad", "score", "pair", descending=[False, True, False])
    next_best = ordered.group_by("ad", maintain_order=True).agg(pl.col("pair").slice(1, NEXT_BEST))
    others = next_best["pair"].explode().drop_nulls().to_numpy()
    return likely, others


def _log_ratios(
    likely: Float32[np.ndarray, "likely"], others: Float32[np.ndarray, "others"]
) -> tuple[float, ...]:
    """log(m / u) of each value of `Agreement` (natural logarithm); pairs without a value do not count."""
    of_likely = _counts(likely)
    of_others = _counts(others)
    both = of_likely + of_others
    prior = PRIOR_PAIRS * both / max(both.sum(), 1.0)
    m = (of_likely + prior) / (of_likely.sum() + PRIOR_PAIRS)
    u = (of_others + prior) / (of_others.sum() + PRIOR_PAIRS)
    ratios = np.log((m + _SMALLEST_SHARE) / (u + _SMALLEST_SHARE))
    return tuple(float(ratio) for ratio in ratios)


def _counts(agreement: Float32[np.ndarray, "some"]) -> Float64[np.ndarray, "values"]:
    """How many pairs have each value of `Agreement`."""
    known = agreement[np.isfinite(agreement)].astype(np.int64)
    counts = np.bincount(known, minlength=len(Agreement) + 1)
    return counts[1:].astype(np.float64)
