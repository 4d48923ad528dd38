"""The closing tables of `nrl-dedup link`."""

from typing import TYPE_CHECKING

from nrl_dedup.cli.console import figure, say, show_table, size, warn

if TYPE_CHECKING:
    from nrl_dedup.bundle.load import Bundle
    from nrl_dedup.catalogue.read import Catalogue
    from nrl_dedup.evaluation.thresholds import ChosenThreshold
    from nrl_dedup.pipeline import LinkResult
    from nrl_dedup.scoring.adapted_model import AdaptedModel


UNKNOWN_WORDS_WARNING = (
    0.3  # of the running words; the network reads less than the ads say. Not tuned.
)


def show_threshold(threshold: float, chosen: "ChosenThreshold") -> None:
    """The threshold that was chosen, and what links from it on are to be expected to be."""
    rows = [
        (name, value, f"{figure(interval.low)}-{figure(interval.high)}")
        for name, value, interval in (
            ("precision", chosen.precision, chosen.precision_interval),
            ("recall", chosen.recall, chosen.recall_interval),
        )
    ]
    show_table(
        f"Expected of links from {threshold:.4f} on", ("", "on held-out ads", "95 % interval"), rows
    )


def show_linked(
    linked: "LinkResult", catalogue: "Catalogue", bundle: "Bundle", threshold: float
) -> None:
    """The closing table of `link`, and what its user should know about the result."""
    from nrl_dedup.scoring.adapted_model import AdaptedModel
    from nrl_dedup.scoring.score import EvidenceScorer

    features, clusters = linked.features, linked.clusters
    sizes = clusters.group_by("cluster_row").len()["len"]
    candidates = linked.candidates
    show_table(
        "Linked",
        ("", "count"),
        [
            ("ads", len(catalogue)),
            ("photos read", features.photos_read),
            ("photos unreadable", len(features.unreadable)),
            ("identical ads", linked.identical),
            ("candidate pairs", len(candidates.frame)),
            ("scored by", linked.scorer.name),
            ("links", len(linked.links)),
            ("clusters", len(sizes)),
            ("ads in clusters", len(clusters)),
            ("largest cluster", sizes.max()),
        ],
    )
    show_table(
        "Candidates by space",
        ("", "nearest", "recall", "search"),
        [
            (space.name, depth, space.recall, space.index)
            for space, depth in zip(candidates.spaces, candidates.depths, strict=True)
        ],
    )
    total = sum(cost.seconds for cost in linked.costs)
    show_table(
        "Stages",
        ("", "seconds", "peak memory"),
        [(cost.name, f"{cost.seconds:.1f}", size(cost.peak_bytes)) for cost in linked.costs]
        + [("all", f"{total:.1f}", size(max(cost.peak_bytes for cost in linked.costs)))],
    )
    if not len(catalogue):
        warn("the catalogue has no ads; the output has a header only.")
    siamese, highest = linked.scorer.name == "siamese", bundle.model.identical_score()
    if siamese and highest <= threshold:
        warn(
            f"this model scores no pair above {highest:.3f}, so --threshold {threshold} links identical ads only."
        )
    if isinstance(linked.scorer, EvidenceScorer) and isinstance(linked.scorer.model, AdaptedModel):
        _show_expected(linked, linked.scorer.model)
    elif features.unknown_share > UNKNOWN_WORDS_WARNING:
        judges = (
            "so it judges by photos more than it should"
            if siamese
            else "for it was trained on other ads"
        )
        warn(
            f"the network does not know {features.unknown_share:.0%} of these ads' words, {judges}. Train on your own, "
            "with labelled pairs or without: nrl-dedup train CATALOGUE [PAIRS]."
        )
    if len(linked.chained):
        row = linked.chained.row(0, named=True)
        warn(
            f"{len(linked.chained):,} of the {linked.looked_at:,} largest clusters (others were not looked at) are "
            "chains: most of their pairs score below the threshold. The largest chain starts at "
            f"{catalogue.ids[row['cluster_row']]}: {row['size']:,} ads, mean score {row['mean_score']:.2f}. Raise "
            "--threshold."
        )


def _show_expected(linked: "LinkResult", model: "AdaptedModel") -> None:
    """What a model that has seen no label of this catalogue expects of its links, and what would help most."""
    found = (
        f"Without labels: {model.curve.share:.0%} of the ads seem to have a duplicate, and the network knows "
        f"{1 - linked.features.unknown_share:.0%} of their words."
    )
    if len(linked.links):
        right = float(linked.links["score"].mean())  # type: ignore[arg-type]
        found += f" Of these links, about {right:.0%} are expected to be right."
    else:
        found += " No pair is sure enough to be linked: a lower --threshold shows the best ones."
    better = "nrl-dedup train CATALOGUE PAIRS, with some hundred labelled pairs"
    if linked.features.photos_read:
        better = "nrl-dedup train CATALOGUE, which learns a network from these ads without labels, or with PAIRS"
    say(f"{found} Better: {better}.")
