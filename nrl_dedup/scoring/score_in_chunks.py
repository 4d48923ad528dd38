"""Candidate pairs -> scores, in chunks: the evidence of many millions of pairs is never held whole."""

import numpy as np
from jaxtyping import Float64

from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.compare import CHUNK_PAIRS, compare_pairs
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.scoring.pair_scores import PairScores
from nrl_dedup.tables import DistinctRows


def score_pairs_in_chunks(
    model: PairScores,
    ads: AdProfiles,
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    progress: Progress = SILENT,
) -> Float64[np.ndarray, "pairs"]:
    """The model's pairwise score of each pair of distinct ads, before calibration."""
    scores = np.empty(len(distinct_l))
    with progress.task("scoring pairs", len(distinct_l)) as task:
        for start in range(0, len(distinct_l), CHUNK_PAIRS):
            chunk = slice(start, start + CHUNK_PAIRS)
            scores[chunk] = model.pairwise_log_odds(
                compare_pairs(ads, distinct_l[chunk], distinct_r[chunk])
            )
            task.advance(len(scores[chunk]))
    return scores
