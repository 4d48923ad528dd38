"""The tables of `train --grid` and `--seeds`."""

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from nrl_dedup.cli.console import figure, results, say, show_table

if TYPE_CHECKING:
    from nrl_dedup.training.search.trials import Trials


def show_search(fusion: str, *, named: bool) -> None:
    """What a search compares by, and which network it is about where the user has not named one."""
    if not named:
        say(
            f"--grid is about the thesis's network, --fusion {fusion}, where train alone takes towers. Name another "
            "with --fusion."
        )
    say(
        "Settings are compared by the network's own score (--scorer siamese); `link` goes by the pair model, which is "
        "fitted to the kept one alone."
    )


def show_trials(trials: "Trials") -> None:
    """The thesis's Tables 4.1 to 4.4, and how good the best setting is; with several seeds as mean ± deviation."""
    import polars as pl

    from nrl_dedup.training.search.trial_tables import mean_and_deviation

    over = f", mean ± standard deviation of {trials.seeds} seeds" if trials.seeds > 1 else ""
    _show_side(trials, "train", f"Training (Tables 4.1 and 4.3){over}")
    _show_side(trials, "valid", f"Validation (Tables 4.2 and 4.4){over}")
    kept = trials.table.row(trials.kept - 1, named=True)
    of_setting = trials.table.filter(pl.col("setting") == kept["setting"])
    show_table(
        f"Kept: setting {kept['setting']}, seed {kept['seed']}{over}",
        ("", "average precision"),
        [
            (name, _spread(*mean_and_deviation(of_setting[f"{name}_ap"])))
            for name in ("valid", "test")
        ],
    )


def _show_side(trials: "Trials", side: str, title: str) -> None:
    from nrl_dedup.training.search.trial_tables import thesis_table

    rows = thesis_table(trials.table, side, seeds=trials.seeds).rows(named=True)
    settings = [name for name in rows[0] if not name.startswith(side) and name != "seeds"]
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for name in ("", *settings, "loss", "AP"):
        table.add_column(name, justify="right")
    for number, row in enumerate(rows, 1):
        values = [
            f"{row[name]:g}" if isinstance(row[name], float) else str(row[name])
            for name in settings
        ]
        figures = [
            _spread(row[f"{side}_{name}"], row.get(f"{side}_{name}_deviation"))
            for name in ("loss", "ap")
        ]
        table.add_row(str(number), *values, *figures)
    results.print(table)


def _spread(mean: float | None, deviation: float | None) -> str:
    """As the thesis writes it: 0.683±0.004."""
    return figure(mean) if deviation is None else f"{figure(mean)}±{figure(deviation)}"
