"""The probability that an ad's best candidate is its duplicate, and how sure a pair is of being the best."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from nrl_dedup.comparison.base import RIVALS
from nrl_dedup.comparison.columns import Column, Direction
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.tables import DistinctRows

# Scores beyond this are cut before they become powers of e, which stay far from the largest number.
_MAX_SCORE = 30.0
# So that log-odds are finite and keep the order of the scores where the curve is flat: of a probability of 1, and what
# a score adds to its log-odds.
_MAX_LOG_ODDS = 9.0
_TIE_BREAK = 1e-2
COLUMNS = {
    "first_look": Column("this pair by itself, log-odds", direction=Direction.NEVER_LOWERS),
    "share": Column(
        "the pair's share of the surer ad's candidates", direction=Direction.NEVER_LOWERS
    ),
}
_DIRECTIONS = {name: column.direction for name, column in COLUMNS.items()}

Scores = Float64[np.ndarray, "pairs"]
AdScores = Float64[np.ndarray, "ads"]


@dataclass(frozen=True)
class MatchCurve:
    """From the score of an ad's best candidate to the probability that it is right.

    `scores`, `probabilities`: both ascending; between two of them a straight line. `share`: of the ads that have a
    duplicate.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    share: float

    def __call__(self, scores: Scores) -> Scores:
        return np.interp(scores, self.scores, self.probabilities)

    def log_odds(self, scores: Scores, share: Scores) -> Scores:
        """Of each pair, from its score and its `share` of the candidates of its ads (`MatchShares`)."""
        probability = self(scores) * share
        with np.errstate(divide="ignore"):
            log_odds = np.log(probability) - np.log1p(-probability)
        cut = np.clip(log_odds, -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
        return cut + _TIE_BREAK * np.clip(scores, -_MAX_SCORE, _MAX_SCORE)


@dataclass(frozen=True)
class MatchShares:
    """How much of an ad's candidates one of them is: exp(score) over the sum of exp(score) of all of them.

    An ad that has one duplicate at most has it with probability share * (that of having one). Ads of the pair's own
    provisional clusters are left out of the sum: three postings of one thing do not compete with one another.

    `total`: of each ad, the sum over its candidates outside its own cluster. `cluster`: of each ad. `keys`, `sums`: of
    an ad and a cluster other than its own (ad * ads + cluster, ascending), the sum over the cluster's ads.
    """

    total: AdScores
    cluster: Int64[np.ndarray, "ads"]
    keys: Int64[np.ndarray, "keys"]
    sums: Float64[np.ndarray, "keys"]

    @classmethod
    def of(
        cls,
        distinct_l: DistinctRows,
        distinct_r: DistinctRows,
        scores: Scores,
        cluster: Int64[np.ndarray, "ads"],
    ) -> "MatchShares":
        """
        :param distinct_l, distinct_r, scores: all candidate pairs, each once.
        :param cluster: of each ad, by any number.
        """
        ads = len(cluster)
        outside = cluster[distinct_l] != cluster[distinct_r]
        ad = np.concatenate([distinct_l[outside], distinct_r[outside]])
        other = np.concatenate([distinct_r[outside], distinct_l[outside]])
        powers = np.tile(_powers(scores[outside]), 2)
        total = np.bincount(ad, powers, minlength=ads)
        keys, place = np.unique(ad * ads + cluster[other], return_inverse=True)
        sums = np.bincount(place, powers, minlength=len(keys))
        return cls(total, cluster, keys, sums)

    @property
    def best(self) -> AdScores:
        """Of each ad, the logarithm of the sum over its candidates."""
        return np.log(np.maximum(self.total, np.exp(-_MAX_SCORE)))

    def evidence(
        self, distinct_l: DistinctRows, distinct_r: DistinctRows, pairwise_log_odds: Scores
    ) -> ComparisonVectors:
        """Of each pair, its own score and its share, that of the ad where it is larger.

        The larger one: an ad that fits no other is a duplicate of its best candidate, even if this has a better one;
        clustering decides between the two.
        """
        own = _powers(pairwise_log_odds)
        share_l = own / (own + self._others(distinct_l, distinct_r))
        share_r = own / (own + self._others(distinct_r, distinct_l))
        return match_vectors(pairwise_log_odds, np.sqrt(share_l * share_r))

    def beside_nothing(
        self, pairwise_log_odds: Scores, best_l: Scores, best_r: Scores
    ) -> ComparisonVectors:
        """As `evidence`, of pairs that are nobody's candidates, from `best` of their ads."""
        own = _powers(pairwise_log_odds)
        smaller = np.minimum(_powers(best_l), _powers(best_r))
        return match_vectors(pairwise_log_odds, own / (own + smaller))

    def _others(self, ads: DistinctRows, others: DistinctRows) -> Scores:
        """The sum over the candidates of each ad that are in no cluster of the pair."""
        own = self.cluster[ads]
        of_other = self.cluster[others]
        key = ads * len(self.cluster) + of_other
        place = np.minimum(np.searchsorted(self.keys, key), max(len(self.keys) - 1, 0))
        within = np.zeros(len(ads))
        if len(self.keys):
            is_there = (self.keys[place] == key) & (own != of_other)
            within[is_there] = self.sums[place[is_there]]
        return np.maximum(self.total[ads] - within, 0.0)


def match_vectors(pairwise_log_odds: Scores, share: Scores) -> ComparisonVectors:
    """`COLUMNS` of pairs."""
    values = np.stack([pairwise_log_odds, share], axis=1).astype(np.float32)
    groups = (RIVALS,) * len(COLUMNS)
    return ComparisonVectors(values, tuple(COLUMNS), groups, _DIRECTIONS)


def _powers(scores: Scores) -> Scores:
    return np.exp(np.clip(scores, -_MAX_SCORE, _MAX_SCORE))


def best_candidates(
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    scores: Scores,
    cluster: Int64[np.ndarray, "ads"],
) -> pl.DataFrame:
    """Of each ad with two candidates or more, its best one and the best that would be wrong if that is right.

    Columns ad, best, best_wrong; an ad all of whose further candidates are of the best one's cluster or of its own is
    left out.
    """
    left = pl.DataFrame({"ad": distinct_l, "other": distinct_r, "score": scores})
    right = pl.DataFrame({"ad": distinct_r, "other": distinct_l, "score": scores})
    each = pl.concat([left, right]).with_columns(
        own=pl.Series(cluster[np.concatenate([distinct_l, distinct_r])]),
        of_other=pl.Series(cluster[np.concatenate([distinct_r, distinct_l])]),
    )
    ordered = each.sort("ad", "score", "other", descending=[False, True, False])
    first = ordered.group_by("ad", maintain_order=True).first()
    best = first.select("ad", best="score", best_cluster="of_other")
    rest = ordered.join(best, on="ad").filter(
        (pl.col("of_other") != pl.col("best_cluster")) & (pl.col("of_other") != pl.col("own"))
    )
    wrong = rest.group_by("ad").agg(best_wrong=pl.col("score").max())
    return best.drop("best_cluster").join(wrong, on="ad").sort("ad")
