"""A digest by which a bundle recognises the catalogue that it was trained on."""

import hashlib

import polars as pl

from nrl_dedup.catalogue.read import Catalogue

CHUNK_ROWS = 50_000  # digested at a time, so that a column is never copied whole; not tuned


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 (hex) of the ids, the texts, the photo references and, if there are any, the sources, in the catalogue's
    order.

    Each column adds the digest of its values' lengths in bytes and that of their UTF-8 bytes, the photos also that
    of their numbers per ad; so it depends on neither the file's name, its other columns, its order nor polars.
    """
    total = hashlib.sha256()
    photos = catalogue.frame["photos"]
    counts = photos.list.len().to_numpy().astype("<i8")
    total.update(hashlib.sha256(counts.tobytes()).digest())
    for name in ("item_id", "title", "description"):
        total.update(_digests(catalogue.frame[name]))
    total.update(_digests(photos.explode().drop_nulls()))
    if catalogue.source is not None:
        total.update(_digests(catalogue.source))
    return total.hexdigest()


def _digests(column: pl.Series) -> bytes:
    """The digest of the values' lengths (int64, little-endian) and that of their UTF-8 bytes: 64 bytes."""
    lengths = hashlib.sha256()
    values = hashlib.sha256()
    for start in range(0, len(column), CHUNK_ROWS):
        chunk = column.slice(start, CHUNK_ROWS)
        sizes = chunk.str.len_bytes().to_numpy().astype("<i8")
        lengths.update(sizes.tobytes())
        values.update(chunk.str.join("").item().encode())
    return lengths.digest() + values.digest()
