"""Scored pairs -> clusters: one short file per method, found by name in `METHODS`."""

from collections.abc import Callable

import polars as pl

from nrl_dedup.clustering.connected_components import connected_components

# Each takes the links (`tables.SCORED_PAIRS` at or above the threshold) and the number of ads, and returns
# `tables.CLUSTERS` of two ads or more, each ad in at most one, ordered by cluster_row and row.
METHODS: dict[str, Callable[[pl.DataFrame, int], pl.DataFrame]] = {"connected-components": connected_components}
