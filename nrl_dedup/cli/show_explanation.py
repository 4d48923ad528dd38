"""What `nrl-dedup explain` prints."""

from typing import TYPE_CHECKING

from rich.table import Table

from nrl_dedup.cli.console import results, show_table
from nrl_dedup.cli.plain_console import styled
from nrl_dedup.explanation.wording import name_in_words, value_in_words

if TYPE_CHECKING:
    from nrl_dedup.explanation.explained_pair import Ad, Cluster, Explanation
    from nrl_dedup.explanation.side_by_side import ColumnPair, Shared

LONGEST_TEXT = 400  # letters of a description; more would push the comparisons off the screen
COLUMNS_SHOWN = 4  # of each group of evidence, so that all groups fit on a screen
MIN_ADDED = 0.05  # log-odds; less changes a score by at most 0.0125, and would only fill lines
SHARED_SHOWN = 12  # words, the rarest first: the others are in most ads

# The stage that decided -> the headline's words, where the two ads are in one cluster, and where they are not.
_HOW_TOGETHER = {"identical": "identical; ", "through others": "not linked to each other, but "}
_WHY_APART = {
    "says nothing": "not linked, as one of them says nothing",
    "one source": "not linked, as both are of one source",
    "blocking": "not linked, lost in blocking",
    "score": "not linked, lost by the score",
}


def show_explanation(found: "Explanation") -> None:
    """The verdict, the two ads side by side, what the score rests on, and each ad's place in the other's lists."""
    _show_verdict(found)
    _show_ads(found)
    _show_reasons(found)
    _show_rivals(found)
    _show_listings(found)


def _show_verdict(found: "Explanation") -> None:
    title = f"{found.left.item_id} and {found.right.item_id}: {_headline(found)}"
    results.print(styled(title, "bold green" if found.together else "bold yellow"), soft_wrap=False)
    results.print(styled(_why(found)), soft_wrap=False)
    results.print()


def _headline(found: "Explanation") -> str:
    cluster = found.left.cluster
    if found.together and cluster is not None:
        return _HOW_TOGETHER.get(found.stage, "linked; ") + _ads_of(cluster)
    return _WHY_APART.get(found.stage, "kept apart in clustering")


def _ads_of(cluster: "Cluster") -> str:
    if cluster.size == 2:
        return "the two ads of one cluster"
    return f"in one cluster of {cluster.size:,} ads"


def _why(found: "Explanation") -> str:
    score, threshold = _score(found.score), _score(found.threshold)
    match found.stage:
        case "identical":
            return (
                "They have the same words, photos and columns, to the last letter and byte: a score of "
                f"{score}; links begin at {threshold}."
            )
        case "linked":
            return f"Their score is {score}; links begin at {threshold}."
        case "through others":
            own = f"Their own score is {score}; links begin at {threshold}."
            if not found.candidate:
                own = f"Blocking did not make them a candidate pair (their score would be {score})."
            return f"{own} {_chain(found)}"
        case "says nothing":
            return " ".join(_silence(ad) for ad in (found.left, found.right) if not ad.told)
        case "one source":
            return (
                f"Both are of the source {found.left.source}, and only ads of different sources are linked. Their "
                f"score would be {score}."
            )
        case "blocking":
            would = (
                "above" if found.score is not None and found.score >= found.threshold else "below"
            )
            return (
                f"Neither is among the candidates of the other (see the lists below), so the pair was not scored. Its "
                f"score would be {score}, {would} the threshold of {threshold}. More --candidates make longer lists."
            )
        case "score":
            return f"They are a candidate pair, but their score is {score}, and links begin at {threshold}."
    return f"Their score is {score}, and links begin at {threshold}; but {_apart(found)}"


def _chain(found: "Explanation") -> str:
    if not found.path:
        return "No chain of links leads from one to the other; the cluster's pairs are alike on the whole."
    steps = "".join(f" -> {step.item_id} ({_score(step.score)})" for step in found.path)
    return f"These links join them: {found.left.item_id}{steps}."


def _silence(ad: "Ad") -> str:
    if ad.words == 0 and not ad.readable:
        return f"{ad.item_id} has neither words nor a readable photo."
    return (
        f"{ad.item_id} has nothing that the model reads and knows: none of its words, and no photo."
    )


def _apart(found: "Explanation") -> str:
    between = found.between
    where = " and ".join(
        f"{ad.item_id} {_in_cluster(ad.cluster)}" for ad in (found.left, found.right)
    )
    if between is None:
        return f"{where}."
    return (
        f"{where}. Between the two, {between.links:,} of {between.pairs:,} pairs are links and {between.candidates:,} "
        f"candidates; the mean score is {between.mean_score:.3f}, pairs that are no candidates counted as 0."
    )


def _in_cluster(cluster: "Cluster | None") -> str:
    if cluster is None:
        return "stands alone"
    return f"is in cluster {cluster.cluster_id} of {cluster.size:,} ads"


def _show_ads(found: "Explanation") -> None:
    sides, left, right = found.side_by_side, found.left, found.right
    table = Table(
        title="The two ads",
        title_justify="left",
        caption=f"Behind a word: how many of the {found.ads:,} ads have it. A photo in brackets is not looked at.",
        caption_justify="left",
        show_lines=True,
    )
    for name in ("", left.item_id, right.item_id, "in common"):
        table.add_column(name, overflow="fold")
    photos = "\n".join(
        f"{name_in_words(pair.measure)}: {pair.left} and {pair.right}, {value_in_words(pair.measure, pair.similarity)}"
        for pair in sides.photos
    )
    rows = [
        ("source", left.source or "", right.source or "", ""),
        ("title", left.title, right.title, ""),
        ("description", _cut(left.description), _cut(right.description), ""),
        ("words", f"{left.words:,}", f"{right.words:,}", _shared(sides.words) or "none"),
        ("numbers", "", "", _shared(sides.numbers)),
        ("photos", _photos(left), _photos(right), photos),
        *(
            (column.name, column.left or "-", column.right or "-", _compared(column))
            for column in sides.columns
        ),
    ]
    if left.twin or right.twin:
        rows.append(("identical to", left.twin or "-", right.twin or "-", ""))
    for row in rows:
        if any(row[1:]):
            table.add_row(*row)
    results.print(table, soft_wrap=False)
    results.print()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " ..."


def _shared(terms: tuple["Shared", ...]) -> str:
    shown = ", ".join(f"{term.text} ({term.ads:,})" for term in terms[:SHARED_SHOWN])
    if len(terms) > SHARED_SHOWN:
        return f"{shown}, and {len(terms) - SHARED_SHOWN:,} more"
    return shown


def _photos(ad: "Ad") -> str:
    marked = (photo if photo in ad.readable else f"({photo})" for photo in ad.photos)
    return ", ".join(marked) or "-"


def _compared(column: "ColumnPair") -> str:
    if column.same is None:
        return "missing"
    if column.same:
        return "same"
    return "different" if column.apart is None else f"{column.apart:.0%} apart"


def _show_reasons(found: "Explanation") -> None:
    if found.log_odds is None:
        return
    table = Table(
        title=f"What the score of {_score(found.score)} rests on",
        title_justify="left",
        caption="Added to the log-odds: above 0 speaks for one thing, below 0 for two. +0.7 doubles the odds.",
        caption_justify="left",
    )
    for name in ("evidence", "value", "adds"):
        table.add_column(name, justify="left" if name == "evidence" else "right")
    base, *others = found.reasons
    for reason in (base, *sorted(others, key=lambda reason: -abs(reason.added))):
        name = "before any evidence" if reason is base else reason.group
        table.add_row(styled(name, "bold"), "", styled(f"{reason.added:+.2f}", "bold"))
        shown = [
            column for column in reason.columns[:COLUMNS_SHOWN] if abs(column.added) >= MIN_ADDED
        ]
        for column in shown:
            value = value_in_words(column.name, column.value)
            table.add_row(f"  {name_in_words(column.name)}", value, f"{column.added:+.2f}")
        rest = reason.added - sum(column.added for column in shown)
        if shown and abs(rest) >= MIN_ADDED:
            table.add_row("  all the rest of it", "", f"{rest:+.2f}")
    table.add_section()
    table.add_row(
        styled("log-odds", "bold"), f"score {_score(found.score)}", f"{found.log_odds:+.2f}"
    )
    results.print(table, soft_wrap=False)
    results.print()


def _show_rivals(found: "Explanation") -> None:
    if found.rivals:
        rows = [(rival.of, rival.item_id, _score(rival.score)) for rival in found.rivals]
        show_table(
            "Rivals: the best candidate of either ad beside the other",
            ("ad", "its best other candidate", "score"),
            rows,
        )


def _show_listings(found: "Explanation") -> None:
    rows = []
    for one in found.listings:
        place = "not listed" if one.rank is None else f"{one.rank:,}"
        if one.rank is not None and one.rank > one.taken:
            place += ", too late"
        rows.append(
            (
                f"{one.space}: of {one.asked}",
                place,
                one.similarity,
                f"{one.taken:,} of {one.listed:,}",
                one.last,
            )
        )
    if rows:
        show_table(
            "Blocking: the place of the other ad among the nearest of each",
            ("space", "place", "similarity", "became candidates", "similarity of the last of them"),
            rows,
        )
        results.print(
            "Places are not quite in the order of similarity: it is judged by how alike the ads around are."
        )


def _score(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 0.001:
        return f"{value:.2g}"
    if value > 0.999:  # more places, or all high scores would be 1
        return f"{value:.6g}"
    return f"{value:.4g}"
