"""LightGBM, also where Python throws docstrings away (`python -OO`), which its part for Dask does not survive."""

import sys

if sys.flags.optimize > 1:
    sys.modules["lightgbm.dask"] = None  # type: ignore[assignment]  # as if Dask were not installed

import lightgbm

__all__ = ["lightgbm"]
