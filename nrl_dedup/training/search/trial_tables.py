"""Trials and their figures -> one table of all, the thesis's tables of settings, and the trial to keep."""

from collections.abc import Mapping, Sequence

import polars as pl

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.training.search.grid import KEYS, Trial, Value, value_of

# What a trial came to: the kept epoch and its figures; or why there are none.
FIGURES = {
    "epoch": pl.Int64,
    "train_loss": pl.Float64,
    "train_ap": pl.Float64,
    "valid_loss": pl.Float64,
    "valid_ap": pl.Float64,
    "test_ap": pl.Float64,
    "note": pl.String,
}
Figures = Mapping[str, int | float | str | None]
_THESIS = {  # key -> columns, in the order of Tables 4.1 to 4.4
    "gru_layers": ("layers",),
    "hidden_size": ("hidden",),
    "fused_size": ("fused",),
    "branch_sizes": ("fc1", "fc2"),
    "dropout": ("dropout",),
    "lr": ("lr",),
}
THESIS_COLUMNS = tuple(name for names in _THESIS.values() for name in names)
_OTHER_COLUMNS = tuple(key for key in KEYS if key not in _THESIS)


def trials_table(plan: Sequence[Trial], figures: Sequence[Figures]) -> pl.DataFrame:
    """trial and setting (from 1), `THESIS_COLUMNS`, the other keys of a grid, `FIGURES`: one row per finished trial.

    :param figures: of the first trials of `plan`, in its order.
    """
    rows = [
        {"trial": number, "setting": trial.setting, **_columns(trial), **found}
        for number, (trial, found) in enumerate(zip(plan, figures, strict=False), 1)
    ]
    return pl.DataFrame(rows, schema_overrides=FIGURES, infer_schema_length=None)


def _columns(trial: Trial) -> dict[str, Value]:
    columns: dict[str, Value] = {}
    for key in (*_THESIS, *_OTHER_COLUMNS):
        value = value_of(trial.settings, key)
        values = value if isinstance(value, tuple) else (value,)
        columns.update(zip(_THESIS.get(key, (key,)), values, strict=True))
    return columns


def thesis_table(trials: pl.DataFrame, side: str, *, seeds: int) -> pl.DataFrame:
    """Tables 4.1 and 4.3 (`side` "train") or 4.2 and 4.4 ("valid"), in one: one row per setting, in its order.

    Columns: whatever else the settings differ in, `THESIS_COLUMNS`, `SIDE_loss` and `SIDE_ap` of the kept epoch. With
    several seeds these are means, each with its `_deviation` after it (`mean_and_deviation`), and `seeds` counts over
    how many trials.

    :param trials: from `trials_table`.
    """
    settings = trials.unique("setting", keep="first", maintain_order=True)
    others = [name for name in _OTHER_COLUMNS if settings[name].n_unique() > 1]
    rows = []
    for (_,), of_setting in trials.group_by("setting", maintain_order=True):
        row = of_setting.select(*others, *THESIS_COLUMNS).row(0, named=True)
        for name in (f"{side}_loss", f"{side}_ap"):
            row[name], deviation = mean_and_deviation(of_setting[name])
            if seeds > 1:
                row[f"{name}_deviation"] = deviation
        rows.append(row | ({"seeds": len(of_setting)} if seeds > 1 else {}))
    figures = {name: pl.Float64 for name in rows[0] if name.startswith(side)}
    return pl.DataFrame(rows, schema_overrides=figures, infer_schema_length=None)


def mean_and_deviation(values: pl.Series) -> tuple[float | None, float | None]:
    """The mean, and the sample standard deviation sqrt(sum_i (x_i - mean)^2 / (n - 1)).

    Both are None if a value is not there: the mean of the others would flatter. The deviation of one value is None.
    """
    if values.null_count():
        return None, None
    known = values.to_numpy()
    return float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else None


def best_trial(trials: pl.DataFrame) -> int:
    """The number of the trial to keep: of the setting with the highest mean validation AP, the trial with the highest.

    Settings and trials without an AP come last; of equals, the lower validation loss and then the earlier trial is
    taken.

    :raises NrlDedupError: no trial came to anything.
    """
    done = trials.filter(pl.col("note").is_null())
    if done.is_empty():
        raise NrlDedupError(f"No setting could be trained; the first one: {trials['note'][0]}")
    means = {
        setting: mean_and_deviation(of_setting["valid_ap"])[0]
        for (setting,), of_setting in trials.group_by("setting", maintain_order=True)
    }
    ranked = done.with_columns(
        mean=pl.col("setting").replace_strict(means, return_dtype=pl.Float64)
    ).sort(
        "mean",
        "valid_ap",
        "valid_loss",
        descending=[True, True, False],
        nulls_last=True,
        maintain_order=True,
    )
    return int(ranked["trial"][0])
