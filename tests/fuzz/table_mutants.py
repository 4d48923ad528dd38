"""Catalogues and pairs files, well-formed or damaged: CSV in many ways of writing it, and Parquet of many types."""

from io import BytesIO
from pathlib import Path
from random import Random

from tests.fuzz.byte_mutations import mutate

CATALOGUE, PAIRS = "catalogue", "pairs"
ADS = 40  # of the catalogue that the pairs are of: ids 1 ... 40
_SEPARATORS = (",", ",", ",", ";", "\t", "|")
_ENDS = ("\n", "\n", "\r\n")
_ENCODINGS = (*["utf-8"] * 12, "utf-8-sig", "utf-16", "utf-16-le", "cp1251", "latin-1", "utf-32")
_PIECES = (
    *(
        '"',
        '"',
        '""',
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        '",',
        ',"',
        '"\n',
        '\n"',
        '"x"',
    ),
    *("\0", "\ufeff", "\u2028", "\x0b", "\x1a", "sep=;\n", "'", "\\", '\\"', " ", "id,title\n"),
)
_BAD_BYTES = (
    b"\xff",
    b"\xfe\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\x00",
)
_HEADERS = {
    "id": ("id", "item_id", "itemID", "Item Id", "sku"),
    "title": ("title", "name", "Title"),
    "description": ("description", "text"),
    "photos": ("image", "photos", "images_array"),
    "price": ("price", "цена"),
    "other": ("colour", "x", "", "attrsJSON"),
}
_WORDS = (
    *(
        "диван",
        "угловой",
        "bike",
        "красный",
        "64 GB",
        "出售",
        "iPhone",
        "б/у",
        "don't",
        "1 000",
        "ё",
        "😀",
        "-",
        "nan",
    ),
    *(
        "a,b",
        "a;b",
        'say "hi"',
        "two\nlines",
        "two\r\nlines",
        "tab\tbed",
        "a|b",
        "",
        " spaces ",
        '"',
        "=1+1",
        "\\n",
    ),
)
_LABELS = ("0", "1", "0", "1", "true", "False", "yes", "no", "1.0")


def make_table(random: Random, folder: Path) -> str:
    """Write `catalogue` or `pairs`, a CSV or Parquet file, into the folder."""
    name = random.choice((CATALOGUE, CATALOGUE, PAIRS))
    if random.random() < 0.15:
        data, what = _parquet(random, name)
    else:
        data, what = _csv(random, name)
    (folder / name).write_bytes(data)
    return f"{name}: {what}"


def _csv(random: Random, name: str) -> tuple[bytes, str]:
    rows = _catalogue_rows(random) if name == CATALOGUE else _pair_rows(random)
    done = []
    for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
        change = random.choice(_ROW_CHANGES)
        change(random, rows)
        done.append(change.__name__.strip("_"))
    separator, end, encoding = (
        random.choice(_SEPARATORS),
        random.choice(_ENDS),
        random.choice(_ENCODINGS),
    )
    text = _written(random, rows, separator, end)
    for _ in range(random.choice((0, 0, 0, 1, 1, 2, 4))):
        at, piece = random.randrange(len(text) + 1), random.choice(_PIECES)
        text = text[:at] + piece + text[at + random.choice((0, 0, 1)) :]
        done.append(f"{piece!r} at {at}")
    data = text.encode(encoding, "replace")
    for _ in range(random.choice((0, 0, 0, 0, 1, 2))):
        at = random.randrange(len(data) + 1)
        piece = random.choice(_BAD_BYTES)
        data = data[:at] + piece + data[at:]
        done.append(f"{piece!r} at byte {at}")
    if random.random() < 0.25:
        data, names = mutate(random, data, random.choice((1, 1, 3)))
        done.append(names)
    return data, f"{separator!r} {end!r} {encoding}; {', '.join(done)}"


def _catalogue_rows(random: Random) -> list[list[str]]:
    roles = ["id", "title"]
    roles += [role for role in ("description", "photos", "price", "other") if random.random() < 0.7]
    random.shuffle(roles)
    header = [random.choice(_HEADERS[role]) for role in roles]
    first = random.choice((1, 1, 97, 10**6))
    rows = [
        [_cell(random, role, first + number) for role in roles]
        for number in range(random.choice((1, 3, 8, 30)))
    ]
    return [header, *rows]


def _pair_rows(random: Random) -> list[list[str]]:
    header = list(
        random.choice(
            (("id1", "id2", "label"), ("left", "right", "is_duplicate"), ("l", "r", "match"))
        )
    )
    rows = []
    for _ in range(random.choice((1, 4, 12, 40))):
        one, other = random.randint(1, ADS + 3), random.randint(1, ADS + 3)
        rows.append([str(one), str(other), random.choice(_LABELS)])
    if random.random() < 0.4:
        header.append("note")
        rows = [[*row, random.choice(_WORDS)] for row in rows]
    return [header, *rows]


def _cell(random: Random, role: str, number: int) -> str:
    if role == "id":
        return str(number)
    if role == "photos":
        return random.choice(
            ("", "1.jpg", "1.jpg, 2.jpg", '["a.jpg", "b.jpg"]', "17", "[1, 2]", "a|b", '["a')
        )
    if role == "price":
        return random.choice(("", "100", "1,000,000", "1 000 руб.", "free", "12.5"))
    return " ".join(random.choice(_WORDS) for _ in range(random.choice((0, 1, 2, 5))))


def _written(random: Random, rows: list[list[str]], separator: str, end: str) -> str:
    """As RFC 4180 has it, with more or fewer quotes; sometimes without a last line end, or with `sep=`."""
    every = random.choice((0.0, 0.0, 0.3, 1.0))
    ahead = f"sep={separator}{end}" if random.random() < 0.03 else ""
    lines = []
    for row in rows:
        fields = []
        for value in row:
            needed = any(sign in value for sign in (separator, '"', "\n", "\r"))
            quoted = needed or random.random() < every
            fields.append('"' + value.replace('"', '""') + '"' if quoted else value)
        lines.append(separator.join(fields))
    return ahead + end.join(lines) + (end if random.random() < 0.8 else "")


def _remove_field(random: Random, rows: list[list[str]]) -> None:
    row = random.choice(rows)
    if row:
        del row[random.randrange(len(row))]


def _repeat_field(random: Random, rows: list[list[str]]) -> None:
    row = random.choice(rows)
    if row:
        row.insert(random.randrange(len(row)), random.choice(row))


def _remove_row(random: Random, rows: list[list[str]]) -> None:
    if len(rows) > 1:
        del rows[random.randrange(len(rows))]


def _repeat_row(random: Random, rows: list[list[str]]) -> None:
    rows.insert(random.randrange(len(rows) + 1), list(random.choice(rows)))


def _repeat_header(random: Random, rows: list[list[str]]) -> None:
    rows.insert(random.randrange(len(rows) + 1), list(rows[0]))


def _blank_row(random: Random, rows: list[list[str]]) -> None:
    rows.insert(random.randrange(len(rows) + 1), [])


def _huge_field(random: Random, rows: list[list[str]]) -> None:
    row = random.choice(rows)
    if row:
        size = random.choice((1000, 131_071, 131_073, 300_000, 2_000_000))
        row[random.randrange(len(row))] = random.choice(("ж", "x ", 'q"', "a,")) * (size // 2)


def _many_fields(random: Random, rows: list[list[str]]) -> None:
    rows[random.randrange(len(rows))] += ["x"] * random.choice((1, 100, 5000))


def _new_name(random: Random, rows: list[list[str]]) -> None:
    if rows[0]:
        names = ("id", "title", "description", "", "sep=,", "a" * 5000, "ид\n", '"', "\x1b[31m")
        rows[0][random.randrange(len(rows[0]))] = random.choice(names)


def _strange_cell(random: Random, rows: list[list[str]]) -> None:
    row = random.choice(rows)
    if row:
        cells = (
            "",
            " ",
            "nan",
            "007",
            "1e999",
            "9" * 5000,
            "-1",
            "1.0",
            "\x1b[2J",
            "\u202e",
            "[" * 1000,
            '["' * 500,
        )
        row[random.randrange(len(row))] = random.choice(cells)


_ROW_CHANGES = (
    *(_remove_field, _repeat_field, _remove_row, _repeat_row, _repeat_header, _blank_row),
    *(_huge_field, _many_fields, _new_name, _strange_cell, _strange_cell),
)


def _parquet(random: Random, name: str) -> tuple[bytes, str]:
    import polars as pl

    columns: dict[str, pl.Series] = {}
    count = random.choice((1, 5, 40, 1000))
    ids = pl.Series(range(1, count + 1))
    if name == CATALOGUE:
        kinds = (
            pl.Int64,
            pl.UInt8,
            pl.String,
            pl.Float64,
            pl.Binary,
            pl.Categorical,
            pl.Decimal(20, 2),
            pl.Date,
        )
        kind = random.choice(kinds if count < 100 else kinds[2:4])
        texts = ids.cast(pl.String)
        columns["id"] = (
            texts.cast(kind) if kind in (pl.String, pl.Binary, pl.Categorical) else ids.cast(kind)
        )
        columns["title"] = _parquet_column(random, texts)
        if random.random() < 0.6:
            columns["description"] = _parquet_column(random, texts)
        if random.random() < 0.6:
            columns["photos"] = _parquet_column(random, texts)
        what = ", ".join(f"{key} {column.dtype}" for key, column in columns.items())
    else:
        columns = {"id1": ids % ADS + 1, "id2": ids * 7 % ADS + 1, "label": ids % 2}
        if random.random() < 0.3:
            columns["label"] = (ids % 2).cast(random.choice((pl.Boolean, pl.Float64, pl.String)))
        what = "pairs"
    file = BytesIO()
    compression = random.choice(("zstd", "snappy", "uncompressed", "gzip", "lz4"))
    pl.DataFrame(columns).write_parquet(
        file, compression=compression, statistics=random.random() < 0.5
    )
    data, names = mutate(random, file.getvalue(), random.choice((0, 1, 1, 1, 2, 5)))
    if random.random() < 0.4 and len(data) > 200:  # the footer, where the sizes are
        end, more = mutate(random, data[-300:], random.choice((1, 1, 3)))
        data, names = data[:-300] + end, f"{names}, footer {more}"
    return data, f"Parquet {compression} {what}; {names}"


def _parquet_column(random: Random, texts: "object") -> "object":
    import polars as pl

    assert isinstance(texts, pl.Series)
    made = random.choice(
        (
            lambda: texts,
            lambda: texts,
            lambda: pl.Series([None] * len(texts), dtype=pl.String),
            lambda: pl.Series([[text, None] for text in texts]),
            lambda: pl.Series([{"a": text, "b": 1} for text in texts]),
            lambda: pl.Series([[[text]] for text in texts]),
            lambda: texts.cast(pl.Int64).cast(pl.Datetime),
            lambda: texts.cast(pl.Int64).cast(pl.Duration),
            lambda: texts.cast(pl.Int64) * 0.5,
            lambda: texts.cast(pl.Binary),
            lambda: pl.Series([b"\xff\xfe"] * len(texts)),
            lambda: texts.cast(pl.Int64) > 3,
            lambda: pl.Series([None] * len(texts), dtype=pl.Null),
        )
    )
    return made()
