"""By the length of the descriptions, and by unlike lengths: tables, and whether one kind of pairs is harder."""

from collections.abc import Iterable
from dataclasses import dataclass

from results.commands import PRODUCT
from results.markdown import code, figure, table
from results.on_disk import BASELINE, Evaluation, Part

LONG = 40  # words from which on the thesis found both of its models worse


@dataclass(frozen=True)
class Together:
    """Several parts. `ap`: their mean, each weighted by its duplicates; parts without an average precision left out."""

    pairs: int
    positives: int
    ap: float | None

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Together":
        parts = list(parts)
        known = [part for part in parts if part.ap is not None]
        weight = sum(part.positives for part in known)
        mean = sum(part.ap * part.positives for part in known) / weight if weight else None
        return cls(sum(part.pairs for part in parts), sum(part.positives for part in parts), mean)


def share(of: Part | Together) -> str | None:
    """Of duplicates."""
    return f"{of.positives / of.pairs:.0%}" if of.pairs else None


def compare_kinds(kinds: dict[str, tuple[Together, Together]], first: str, second: str) -> str:
    """Which models are worse on the second kind of pairs than on the first."""
    worse, others, unknown = [], [], []
    for name, (one, other) in kinds.items():
        fits = one.ap is not None and other.ap is not None
        (unknown if not fits else worse if other.ap < one.ap else others).append(name)
    if not worse and not others:
        return f"Nothing to compare: no model has an average precision both on pairs {first} and on pairs {second}."
    said = (
        f"Worse on pairs {second} than on pairs {first}: {code(worse)}; not worse: {code(others)}"
    )
    said += f"; not known: {code(unknown)}." if unknown else "."
    one, other = next(iter(kinds.values()))
    return said + (
        f" Duplicates are {share(one)} of the pairs {first} and {share(other)} of those {second}; average precision "
        "rises with that share."
    )


def length_parts(evaluation: Evaluation) -> tuple[str, str]:
    """The table by the mean length of the two descriptions, and whether long ones are harder."""
    models = evaluation.models
    rows = []
    for span in next(iter(models.values())).by_length:
        parts = [model.by_length[span] for model in models.values()]
        rows.append((span, figure(parts[0].pairs), share(parts[0]), *parts))
    kinds = {
        name: (
            Together.of(part for span, part in model.by_length.items() if _lowest(span) < LONG),
            Together.of(part for span, part in model.by_length.items() if _lowest(span) >= LONG),
        )
        for name, model in models.items()
    }
    for title, parts in zip(
        (f"below {LONG}", f"from {LONG} on"), zip(*kinds.values(), strict=True), strict=True
    ):
        rows.append(
            (title, figure(parts[0].pairs), share(parts[0]), *(figure(part.ap) for part in parts))
        )
    header = ("mean words", "pairs", "share of duplicates", *(f"`{name}`" for name in models))
    said = (
        "The last two rows are means of the rows above, each weighted by its duplicates. "
        + compare_kinds(kinds, f"below {LONG} words", f"from {LONG} words on")
    )
    return table(header, rows), said


def _lowest(span: str) -> int:
    """The number of words at which `40-49` begins."""
    return int(span.split("-")[0])


def unlike_parts(evaluation: Evaluation) -> tuple[str, str]:
    """The product and the baseline by the words of the shorter (down) and the longer description, and whether unlike
    lengths are harder than like ones."""
    models = {name: evaluation.models[name].by_unlike_length for name in (PRODUCT, BASELINE)}
    product, baseline = models.values()

    def cell(key: tuple[str, str]) -> str | None:
        if key not in product:
            return ""  # the shorter description is not the longer one
        pairs = product[key].pairs
        return (
            f"{figure(product[key].ap)} / {figure(baseline[key].ap)} ({pairs:,})" if pairs else None
        )

    spans = list(dict.fromkeys(longer for _, longer in product))
    rows = [(shorter, *(cell((shorter, longer)) for longer in spans)) for shorter in spans]
    kinds = {
        name: (
            Together.of(part for (shorter, longer), part in parts.items() if shorter == longer),
            Together.of(part for (shorter, longer), part in parts.items() if shorter != longer),
        )
        for name, parts in models.items()
    }
    means = "; ".join(
        f"`{name}` {figure(like.ap)} and {figure(unlike.ap)}"
        for name, (like, unlike) in kinds.items()
    )
    said = (
        f"On the diagonal (like length) and off it, cells weighted by their duplicates: {means}. "
    )
    return table(("shorter", *spans), rows), said + compare_kinds(
        kinds, "of like length", "of unlike length"
    )
