"""The references to photos in a cell: one, several, or a JSON list of them."""

import polars as pl

# A JSON list of strings that polars is sure to decode: lone surrogates, which it refuses, are left out.
_ESCAPE = r'\\(?:["\\/bfnrt]|u[0-9abcefABCEF][0-9a-fA-F]{3}|u[dD][0-7][0-9a-fA-F]{2})'
_JSON_STRING = rf'"(?:[^"\\\x00-\x1f]|{_ESCAPE})*"'
_GAP = r"[ \t\r\n]*"  # of JSON: no other white space
_JSON_LIST = rf"^{_GAP}\[{_GAP}{_JSON_STRING}(?:{_GAP},{_GAP}{_JSON_STRING})*{_GAP}\]{_GAP}$"


def photo_lists(cells: pl.Series) -> pl.Series:
    """Photo references as List(String): trimmed, without empty ones, each once and in its order."""
    lists = cells
    if not isinstance(lists.dtype, pl.List):
        lists = _split(lists)
    trimmed = pl.element().str.strip_chars()
    filled = lists.list.eval(trimmed.filter(trimmed != ""))
    return filled.list.unique(maintain_order=True)


def _split(cells: pl.Series) -> pl.Series:
    cell = pl.col("cell")
    is_json = cell.str.contains(_JSON_LIST)
    bracketed = cell.str.contains(r"(?s)^\s*\[.*\]\s*$")  # [1, 2] or ['a.jpg', 'b.jpg']
    without_brackets = cell.str.replace_all(r"""[\[\]"']""", "")
    bare = pl.when(bracketed).then(without_brackets).otherwise(cell)
    plain = bare.str.replace_all("[;|]", ",").str.split(",")
    frame = cells.alias("cell").to_frame()
    if not frame.select(is_json.any()).item():
        return frame.select(plain).to_series()
    json_cell = pl.when(is_json).then(cell)
    decoded = json_cell.str.json_decode(pl.List(pl.String))
    lists = pl.when(is_json).then(decoded).otherwise(plain)
    return frame.select(lists).to_series()
