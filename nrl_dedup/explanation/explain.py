"""explain(): why two ads are linked, or the first stage at which `link` lost the pair."""

from collections import deque
from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Int64
from scipy.special import expit

from nrl_dedup.blocking.candidates import neighbourhood_levels, proposed
from nrl_dedup.blocking.neighbours import NONE
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.catalogue.sides import BY_DEFAULT, SIDES, Sides, check_sides, rows_of_side
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.explanation.contributions import Reason, find_competitor, find_reasons
from nrl_dedup.explanation.explained_pair import (
    BLOCKING,
    CLUSTERING,
    IDENTICAL,
    LINKED,
    ONE_SOURCE,
    SAYS_NOTHING,
    SCORE,
    THROUGH_OTHERS,
    Ad,
    Between,
    Cluster,
    Competitor,
    Explanation,
    Listing,
    Step,
)
from nrl_dedup.explanation.side_by_side import compare
from nrl_dedup.pipeline import LinkResult
from nrl_dedup.scoring.score import EVIDENCE
from nrl_dedup.tables import distinct_ends


def find_pair(
    catalogue: Catalogue, id_a: str, id_b: str, sides: Sides = BY_DEFAULT
) -> Int64[np.ndarray, "2"]:
    """The rows of two ads.

    :param sides: their sources, for ids that several sources have (`sides.rows_of_side`).
    :raises NrlDedupError: they are one ad, or the catalogue does not have them; a source that there is not.
    """
    check_sides(catalogue, sides)
    found = []
    for item_id, side in zip((id_a, id_b), SIDES, strict=True):
        ids = pl.Series([item_id], dtype=pl.String)
        found.append(rows_of_side(catalogue, ids, side, sides.of(side))[0])
    if found[0] is not None and found[0] == found[1]:
        raise NrlDedupError(f"Two ads are wanted, but {id_a} is named twice.")
    missing = [item for item, row in zip((id_a, id_b), found, strict=True) if row is None]
    if missing:
        raise NrlDedupError(
            f"{catalogue.path}: there is no ad with the id {' and none with '.join(missing)}. Ids are taken letter for "
            "letter (007 is not 7); name another catalogue with --items."
        )
    return np.array(found, dtype=np.int64)


def explain(
    linked: LinkResult,
    catalogue: Catalogue,
    id_a: str,
    id_b: str,
    threshold: float,
    sides: Sides = BY_DEFAULT,
) -> Explanation:
    """Why `linked` has the two ads together, or not.

    :param linked: what `link` made of `catalogue` with this `threshold`.
    :raises NrlDedupError: what `find_pair` raises.
    """
    rows = find_pair(catalogue, id_a, id_b, sides)
    blocked = linked.blocked
    left = _ad(linked, catalogue, int(rows[0]))
    right = _ad(linked, catalogue, int(rows[1]))
    candidate = bool(blocked.finds(rows[:1], rows[1:])[0])
    same = False
    score, log_odds = None, None
    reasons: tuple[Reason, ...] = ()
    listings: tuple[Listing, ...] = ()
    rivals: tuple[Competitor, ...] = ()
    if blocked.ads.has(rows).all():
        distinct = blocked.ads.of_rows(rows)
        low, high = np.sort(distinct)[:, None]
        same = bool(low == high)
        log_odds = float(linked.scorer.logits(low, high)[0])
        score = float(np.float32(expit(np.array([log_odds]))[0]))
        reasons = find_reasons(linked.scorer, low, high)
        if not same:
            listings = tuple(_listings(linked, catalogue, distinct))
            rivals = tuple(_rivals(linked, catalogue, distinct))
    above = candidate and score is not None and bool(score >= np.float32(threshold))
    together = left.cluster is not None and left.cluster == right.cluster
    if same and above:
        stage = IDENTICAL
    elif together:
        stage = LINKED if above else THROUGH_OTHERS
    elif not (left.told and right.told):
        stage = SAYS_NOTHING
    elif left.source is not None and left.source == right.source:
        stage = ONE_SOURCE
    elif not candidate:
        stage = BLOCKING
    else:
        stage = CLUSTERING if above else SCORE
    return Explanation(
        stage,
        left,
        right,
        len(catalogue),
        threshold,
        candidate,
        score=score,
        log_odds=log_odds,
        reasons=reasons,
        listings=listings,
        between=_between(linked, rows, threshold) if stage == CLUSTERING else None,
        path=_path(linked, catalogue, *map(int, rows)) if stage == THROUGH_OTHERS else (),
        rivals=rivals,
        side_by_side=compare(catalogue, linked.features, blocked, linked.scorer, *map(int, rows)),
    )


def _ad(linked: LinkResult, catalogue: Catalogue, row: int) -> Ad:
    blocked, seen = linked.blocked, linked.features.photos.photos
    item_id, title, description, photos = catalogue.frame.row(row)
    readable: tuple[str, ...] = ()
    if seen is not None:
        looked_at = seen.rows[seen.offsets[row] : seen.offsets[row + 1]]
        at = seen.centre.rows_of(pl.Series(photos, dtype=pl.String))
        readable = tuple(
            photo for photo, stored in zip(photos, at, strict=True) if stored in looked_at
        )
    twin = None
    has_known_input = False
    own = np.array([row])
    if blocked.ads.has(own)[0]:
        distinct = blocked.ads.of_rows(own)
        representative = int(blocked.ads.to_rows(distinct)[0])
        if representative != row:
            twin = catalogue.ids[representative]
        is_embedded = not np.isnan(blocked.z[distinct]).any()
        has_known_input = linked.scorer.name == EVIDENCE or is_embedded
    return Ad(
        item_id,
        title,
        description,
        tuple(photos),
        readable,
        int(linked.features.words.lengths[row].sum()),
        has_known_input,
        twin,
        _cluster(linked, catalogue, row),
        None if catalogue.source is None else catalogue.source[row],
    )


def _cluster(linked: LinkResult, catalogue: Catalogue, row: int) -> Cluster | None:
    found = linked.clusters.filter(row=row)["cluster_row"]
    if found.is_empty():
        return None
    return Cluster(catalogue.ids[found[0]], linked.clusters.filter(cluster_row=found[0]).height)


def _listings(
    linked: LinkResult, catalogue: Catalogue, at: Int64[np.ndarray, "2"]
) -> Iterator[Listing]:
    """Of two distinct ads in every space that has them."""
    candidates = linked.candidates
    ids = [catalogue.ids[int(row)] for row in linked.blocked.ads.to_rows(at)]
    for space, depth in zip(candidates.spaces, candidates.depths, strict=True):
        mean = neighbourhood_levels(space)
        for which in (0, 1):
            near, ad, other = space.neighbours, int(at[which]), at[1 - which]
            order = proposed(space, mean, at[which : which + 1])[0]
            order = order[order != NONE]
            similarity = dict(
                zip(near.rows[ad].tolist(), near.similarities[ad].tolist(), strict=True)
            )
            taken = min(depth, len(order))
            found = np.flatnonzero(order == other)
            yield Listing(
                space.name,
                ids[which],
                ids[1 - which],
                listed=len(order),
                taken=taken,
                rank=int(found[0]) + 1 if len(found) else None,
                similarity=similarity[int(other)] if len(found) else None,
                last=similarity[int(order[taken - 1])] if taken else None,
            )


def _rivals(
    linked: LinkResult, catalogue: Catalogue, at: Int64[np.ndarray, "2"]
) -> Iterator[Competitor]:
    """Of two distinct ads, the best candidate of either beside the other."""
    rows_of = linked.blocked.ads.rows
    ids = [catalogue.ids[int(row)] for row in rows_of[at]]
    for item_id, (ad, other) in zip(ids, (at.tolist(), at[::-1].tolist()), strict=True):
        found = find_competitor(linked.scorer, linked.candidates.frame, ad, other)
        if found is not None:
            place, log_odds = found
            score = float(expit(np.array([log_odds]))[0])
            yield Competitor(item_id, catalogue.ids[int(rows_of[place])], score)


def _between(linked: LinkResult, rows: Int64[np.ndarray, "2"], threshold: float) -> Between:
    """The pairs between the clusters of two rows of the catalogue, each copy as the ad that represents it."""
    members = []
    for row in rows:
        cluster = linked.clusters.filter(row=int(row))["cluster_row"]
        ads = (
            np.array([row])
            if cluster.is_empty()
            else linked.clusters.filter(cluster_row=cluster[0])["row"].to_numpy()
        )
        members.append(np.unique(linked.blocked.ads.of_rows(ads)))
    columns = ("distinct_l", "distinct_r")
    inside = [[pl.col(end).is_in(ads.tolist()) for end in columns] for ads in members]
    (left_l, left_r), (right_l, right_r) = inside
    pairs = linked.candidates.frame.filter((left_l & right_r) | (right_l & left_r))
    left, right = distinct_ends(pairs)
    scores = expit(linked.scorer.logits(left, right)).astype(np.float32)
    count = len(members[0]) * len(members[1])
    return Between(
        count, len(pairs), int((scores >= np.float32(threshold)).sum()), float(scores.sum() / count)
    )


def _path(linked: LinkResult, catalogue: Catalogue, left: int, right: int) -> tuple[Step, ...]:
    """The shortest chain of links inside their cluster, found breadth first from the right ad."""
    cluster = linked.clusters.filter(row=left)["cluster_row"][0]
    members = linked.clusters.filter(cluster_row=cluster)["row"].to_list()
    inside = linked.links.filter(pl.col("row_l").is_in(members) & pl.col("row_r").is_in(members))
    near: dict[int, list[tuple[int, float]]] = {row: [] for row in members}
    for one, other, score in (
        inside.select("row_l", "row_r", "score").sort("score", descending=True).iter_rows()
    ):
        near[one].append((other, score))
        near[other].append((one, score))
    towards: dict[int, tuple[int, float]] = {right: (right, 1.0)}
    waiting = deque([right])
    while waiting and left not in towards:
        ad = waiting.popleft()
        for other, score in near[ad]:
            if other not in towards:
                towards[other] = (ad, score)
                waiting.append(other)
    steps: list[Step] = []
    while left in towards and left != right:
        left, score = towards[left]
        steps.append(Step(catalogue.ids[left], score))
    return tuple(steps)
