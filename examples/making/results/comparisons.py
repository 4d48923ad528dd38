"""The table of the systems, which of them beats which, and what photos and words add."""

from collections.abc import Sequence

from results.commands import ATTENTION, BILINEAR, PRODUCT
from results.markdown import bullets, code, figure, table
from results.on_disk import Part
from results.standings import Spread, Standing, by_name

BOTH_SIDES = (PRODUCT, BILINEAR, ATTENTION)  # the systems that read words and photos


def systems_table(found: Sequence[Standing], test: str, kept: str) -> str:
    """:param test: what the means over seeds are called; `kept`: the figures of the kept models."""
    rows = []
    for standing in found:
        epochs = ", ".join(f"{figure(seed.kept_epoch)} of {seed.epochs}" for seed in standing.seeds)
        train, valid = (
            Spread.of(getattr(seed, name) for seed in standing.seeds)
            for name in ("train_ap", "valid_ap")
        )
        rows.append(
            (
                f"`{standing.name}`",
                standing.state,
                epochs or None,
                train,
                valid,
                standing.test,
                standing.kept,
            )
        )
    return table(("", "seeds", "kept epoch", "training AP", "validation AP", test, kept), rows)


def overlap(one: Part, other: Part) -> bool | None:
    """Whether the two intervals have a value in common; None if one is missing."""
    if one.low is None or other.low is None:
        return None
    return one.low <= other.high and other.low <= one.high


def overlap_words(one: Part, other: Part) -> str:
    return {
        True: "the intervals overlap, so other test pairs may say otherwise",
        False: "the intervals do not overlap",
        None: "one of them has no interval",
    }[overlap(one, other)]


def verdict(one: Standing, other: Standing) -> str:
    """Whether one beats the other, by the means over seeds; the intervals are those of the kept models."""
    unknown = [standing.name for standing in (one, other) if not standing.comparable]
    if unknown:
        return f"Whether `{one.name}` beats `{other.name}` is not known: no figures yet for {code(unknown)}."
    beats = one.test.mean > other.test.mean
    turned = (one.kept.ap > other.kept.ap) != beats
    return (
        f"`{one.name}` {'beats' if beats else 'does not beat'} `{other.name}`: {figure(one.test.mean)} against "
        f"{figure(other.test.mean)}; {overlap_words(one.kept, other.kept)}"
        f"{'; of the kept models alone one would say the opposite' if turned else ''}."
    )


def against_baseline(found: Sequence[Standing]) -> str:
    """A verdict for each system; for those that are no better, what they lose from training to validation too."""
    *systems, baseline = found
    lines = []
    for standing in systems:
        line = verdict(standing, baseline)
        if standing.comparable and baseline.comparable and standing.test.mean <= baseline.test.mean:
            known = figure(Spread.of(seed.train_ap for seed in standing.seeds).mean)
            new = figure(Spread.of(seed.valid_ap for seed in standing.seeds).mean)
            line += f" It reaches {known} on its training pairs and {new} on the validation pairs."
        lines.append(line)
    return bullets(lines)


def trained_to_the_end(standing: Standing) -> str:
    """Whether early stopping, and not the limit of epochs, ended all trainings of a system."""
    if not standing.comparable:
        return f"`{standing.name}`: {standing.state}."
    early = sum(seed.epochs < seed.most_epochs for seed in standing.seeds)
    ended = (
        "trained to the end"
        if early == len(standing.seeds)
        else "not trained to the end with every seed"
    )
    lengths = ", ".join(f"{seed.epochs} of at most {seed.most_epochs}" for seed in standing.seeds)
    return (
        f"`{standing.name}` is {ended}: early stopping ended {early} of {len(standing.seeds)} trainings (epochs: "
        f"{lengths})."
    )


def added_parts(found: Sequence[Standing]) -> tuple[str, str]:
    """What the second side adds to the first in each system that has both, and in how many it adds anything."""
    rows, said = [], []
    for side, other in (("text", "photos"), ("image", "words")):
        one, helped, known = by_name(found, side), 0, 0
        for both in (by_name(found, name) for name in BOTH_SIDES):
            added, relative, meet = None, None, None
            if one.comparable and both.comparable:
                difference = both.test.mean - one.test.mean
                known, helped = known + 1, helped + (difference > 0)
                added, relative = f"{difference:+.3f}", f"{difference / one.test.mean:+.1%}"
                meet = {True: "overlap", False: "do not overlap", None: None}[
                    overlap(one.kept, both.kept)
                ]
            means = (figure(each.test.mean) if each.comparable else None for each in (one, both))
            rows.append((f"{other}: `{side}` to `{both.name}`", *means, added, relative, meet))
        if known:
            said.append(
                f"{other.capitalize()} add to `{side}` in {helped} of {known} systems that have both."
            )
    return table(
        ("what is added", "AP without", "AP with", "added", "relative", "intervals"), rows
    ), " ".join(said)
