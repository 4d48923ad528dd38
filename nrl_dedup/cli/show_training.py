"""What `nrl-dedup train` shows while it works and in the end."""

from typing import TYPE_CHECKING

from nrl_dedup.cli.console import figure, show_table, warn
from nrl_dedup.cli.plain_console import messages

if TYPE_CHECKING:
    import polars as pl

    from nrl_dedup.bundle.load import Bundle, Epoch
    from nrl_dedup.catalogue.splits import Split


def show_split(split: "Split") -> None:
    """The audit of the split: what is on each side, and what was dropped between them."""
    show_table("The split", ("", "value"), split.audit.items())


def show_epoch(epoch: "Epoch") -> None:
    """A row an epoch, under a header that the first one draws."""
    if epoch.number == 1:
        messages.print("epoch  train loss  valid loss  train AP  valid AP  seconds")
    messages.print(
        f"{epoch.number:5d}  {epoch.train_loss:10.4f}  {epoch.valid_loss:10.4f}"
        f"  {figure(epoch.train_ap):>8}  {figure(epoch.valid_ap):>8}  {epoch.seconds:7.1f}"
    )


def show_trained(bundle: "Bundle") -> None:
    """The epoch that was kept, and the highest score that its head can give."""
    best = bundle.history[bundle.best_epoch - 1]
    highest = bundle.model.identical_score()
    rows = [
        ("kept epoch", best.number),
        ("validation loss", best.valid_loss),
        ("validation average precision", best.valid_ap),
        ("score of two identical ads", highest),
    ]
    show_table("Trained" if bundle.labelled else "Trained without labels", ("", "value"), rows)
    if highest <= 0.5:
        warn(
            f"no pair can score above {highest:.3f}: link with --threshold below that, or train longer."
        )


def show_held_out(held_out: "pl.DataFrame") -> None:
    """What the scorers make of candidates that they have not learned from; `link --precision` chooses from these."""
    from nrl_dedup.metrics import quality

    rows = []
    for (scorer,), pairs in held_out.group_by("scorer", maintain_order=True):
        found = pairs.filter(pairs["logit"].is_finite())
        labels = found["is_duplicate"].to_numpy()
        logits = found["logit"].to_numpy()
        weights = found["weight"].to_numpy()
        reached = quality(labels, logits, weights, 0.5)
        rows.append(
            (
                *(scorer, round(weights.sum()), reached.positives, len(pairs) - len(found)),
                *(
                    reached.average_precision,
                    reached.calibration_error,
                    reached.precision,
                    reached.recall,
                ),
            )
        )
    show_table(
        "Candidates of held-out ads",
        (
            *("scorer", "pairs", "duplicates", "lost", "average precision", "calibration error"),
            *("precision at 0.5", "recall"),
        ),
        rows,
    )
