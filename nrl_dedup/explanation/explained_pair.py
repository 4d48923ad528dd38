"""What `explain` finds out about a pair: its stage, its two ads, and what its score rests on."""

from dataclasses import asdict, dataclass
from typing import Any

from nrl_dedup.explanation.contributions import Reason
from nrl_dedup.explanation.side_by_side import SideBySide

IDENTICAL, LINKED, THROUGH_OTHERS = "identical", "linked", "through others"
ONE_SOURCE = "one source"
SAYS_NOTHING, BLOCKING, SCORE, CLUSTERING = "says nothing", "blocking", "score", "clustering"
TOGETHER = (IDENTICAL, LINKED, THROUGH_OTHERS)


@dataclass(frozen=True)
class Cluster:
    """`cluster_id`: the smallest id of its ads; `size`: how many they are."""

    cluster_id: str
    size: int


@dataclass(frozen=True)
class Ad:
    """One of the two ads. `readable`: those of its photos that the model looks at. `words`: how many it has.

    `told`: whether the model finds anything in it that it knows. `twin`: the identical ad that represents it where ads
    are searched and scored; None where it represents itself. `cluster`: None where it is in none. `source`: None where
    ads have none.
    """

    item_id: str
    title: str
    description: str
    photos: tuple[str, ...]
    readable: tuple[str, ...]
    words: int
    told: bool
    twin: str | None
    cluster: Cluster | None
    source: str | None = None


@dataclass(frozen=True)
class Listing:
    """Whether one ad is among the nearest of the other in one space.

    `asked`, `other`: the ad whose list it is, and the one looked for. `listed`: how many the list has, of which the
    first `taken` became candidates. `rank`, `similarity`: of the other in the list, 1 the first; None where it is not
    there. `last`: the similarity of the last that became a candidate. The order is not quite that of the similarities:
    they are judged against the neighbourhoods of both ads (`blocking.candidates.proposed`).
    """

    space: str
    asked: str
    other: str
    listed: int
    taken: int
    rank: int | None
    similarity: float | None
    last: float | None


@dataclass(frozen=True)
class Between:
    """The pairs between the clusters of the two ads: all, candidates, links; and the mean of the candidates' scores,
    every other pair counted as 0. Identical ads count as one."""

    pairs: int
    candidates: int
    links: int
    mean_score: float


@dataclass(frozen=True)
class Competitor:
    """The best candidate of the ad `of` beside the other ad of the pair, and their score."""

    of: str
    item_id: str
    score: float


@dataclass(frozen=True)
class Step:
    """A link of a chain of links: to which ad, and its score."""

    item_id: str
    score: float


@dataclass(frozen=True)
class Explanation:
    """`stage`: one of `TOGETHER`, or that at which the pair was lost.

    `score`, `log_odds`: None where an ad has neither words nor a readable photo. `reasons`: sum to `log_odds`.
    `between`: of two clusters that were kept apart. `path`: the shortest chain of links from the left ad to the right
    one, where they are in one cluster without a link of their own; empty where there is none. `rivals`: of the left and
    the right ad, where they have one.
    """

    stage: str
    left: Ad
    right: Ad
    ads: int
    threshold: float
    candidate: bool
    score: float | None
    log_odds: float | None
    reasons: tuple[Reason, ...]
    listings: tuple[Listing, ...]
    between: Between | None
    path: tuple[Step, ...]
    rivals: tuple[Competitor, ...]
    side_by_side: SideBySide

    @property
    def together(self) -> bool:
        return self.stage in TOGETHER

    def as_json(self) -> dict[str, Any]:
        said = {"together": self.together, **asdict(self)}
        for side in ("left", "right"):
            if said[side]["source"] is None:
                del said[side]["source"]
        return said
