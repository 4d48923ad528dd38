"""Catalogues of things that come in variants: how many links join two variants, and how many duplicates are found.

    python examples/making/measuring/variants.py

Each thing comes in three variants (or two), which differ in one model code, number, size or colour; 200 of them are
posted twice, in other words. In English and in Russian. Then two shops that give the same things codes of their own:
their recall, beside that with the codes deleted; and things that are posted once each: how many ads are linked.
"""

import argparse
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import nrl_dedup

THINGS, POSTED_TWICE = 500, 200


def _words(text: str) -> list[str]:
    return text.split()


ENGLISH = {
    "type": _words(
        "drill kettle router camera printer blender monitor speaker lamp vacuum toaster heater"
    ),
    "adjective": _words(
        "portable cordless compact wireless digital electric foldable heavy-duty quiet slim"
    ),
    "colour": _words("black white red blue silver green"),
    "unit": ["gb", "w", "l", "inch", "mah"],
    "fact": [
        "comes with a {a} case and {n} spare parts",
        "works with any {a} adapter",
        "runs for {n} hours on one charge",
        "{a} body made of steel",
        "two years of warranty",
        "easy to clean and to store",
        "bought {n} months ago",
        "handle with {a} grip",
        "low noise at night",
        "box and manual included",
        "fits a {a} shelf",
        "tested with {n} users",
        "charges over usb",
        "timer and automatic stop",
        "{a} design by a small studio",
    ],
    "frame": ["{}", "for sale: {}", "{} in good condition", "selling my {}", "{}, hardly used"],
}
RUSSIAN = {
    "type": _words(
        "дрель чайник роутер фотоаппарат принтер блендер монитор колонка лампа пылесос тостер обогреватель"
    ),
    "adjective": _words(
        "компактный беспроводной цифровой электрический складной мощный тихий тонкий лёгкий"
    ),
    "colour": _words("чёрный белый красный синий серебристый зелёный"),
    "unit": ["гб", "вт", "л", "см", "мач"],
    "fact": [
        "в комплекте {a} чехол и {n} запасных деталей",
        "подходит {a} адаптер",
        "работает {n} часов без зарядки",
        "{a} корпус из стали",
        "гарантия два года",
        "легко чистить и хранить",
        "куплен {n} месяцев назад",
        "ручка удобно лежит в руке",
        "почти не шумит ночью",
        "есть коробка и инструкция",
        "помещается на {a} полку",
        "проверен в работе {n} раз",
        "заряжается от usb",
        "таймер и автоотключение",
        "{a} дизайн небольшой студии",
    ],
    "frame": ["{}", "продам {}", "{} в хорошем состоянии", "продаю свой {}", "{}, почти новый"],
}
SYLLABLES = ["ka", "ri", "mo", "ta", "ve", "lo", "su", "ne", "pi", "do", "ra", "li"]


@dataclass(frozen=True)
class Variant:
    """`kind`: in what it differs from its siblings. `facts`: those of all variants of the thing."""

    thing: int
    kind: str
    type: str
    adjective: str
    brand: str
    code: str
    number: int
    size: str
    colour: str
    facts: tuple[str, ...]


def variants_of(thing: int, count: int, words: dict, draw: random.Random) -> list[Variant]:
    brand = "".join(draw.choices(SYLLABLES, k=2))
    prefix = "".join(draw.choices("abcdefghkmnprstvx", k=draw.choice([2, 3])))
    base = draw.randrange(100, 900)
    kind = ("code", "number", "size", "colour")[thing % 4]
    unit = draw.choice(words["unit"])
    sizes = draw.sample([2, 4, 8, 16, 32, 64], count)
    numbers = draw.sample(range(2, 40), count)
    colours = draw.sample(words["colour"], count)
    facts = []
    for fact in draw.sample(words["fact"], 6):
        facts.append(fact.format(a=draw.choice(words["adjective"]), n=draw.randrange(2, 30)))
    found = []
    for place in range(count):
        of_code = base + 10 * place if kind == "code" else base
        found.append(
            Variant(
                thing,
                kind,
                draw.choice(words["type"]) if not found else found[0].type,
                draw.choice(words["adjective"]) if not found else found[0].adjective,
                brand,
                f"{prefix}{of_code}",
                numbers[place if kind == "number" else 0],
                f"{sizes[place if kind == 'size' else 0]} {unit}",
                colours[place if kind == "colour" else 0],
                tuple(facts),
            )
        )
    return found


def posted(variant: Variant, words: dict, draw: random.Random, again: bool) -> tuple[str, str]:
    """Title and description; `again`: the second time, in other words and with fewer facts."""
    parts = [variant.brand, variant.type, variant.code, str(variant.number), variant.size]
    parts += [variant.colour, variant.adjective]
    facts = list(variant.facts)
    if again:
        draw.shuffle(parts)
        facts = draw.sample(facts, 4)
        other = draw.choice(words["fact"])
        facts.append(other.format(a=draw.choice(words["adjective"]), n=draw.randrange(2, 30)))
    title = " ".join(parts)
    frame = draw.choice(words["frame"]) if again else "{}"
    return frame.format(title), ". ".join(facts)


def catalogue(words: dict, siblings: int, twice: int, seed: int) -> pl.DataFrame:
    """Columns item_id, title, description, variant (of which an ad is), thing."""
    draw = random.Random(seed)
    rows = []
    variants = []
    for thing in range(THINGS):
        variants += variants_of(thing, siblings, words, draw)
    again = set(draw.sample(range(len(variants)), twice))
    for number, variant in enumerate(variants):
        rows.append((*posted(variant, words, draw, again=False), number, variant.thing))
        if number in again:
            rows.append((*posted(variant, words, draw, again=True), number, variant.thing))
    draw.shuffle(rows)
    frame = pl.DataFrame(rows, schema=["title", "description", "variant", "thing"], orient="row")
    return frame.with_columns(item_id=pl.int_range(1, len(rows) + 1).cast(pl.String))


def own_codes(words: dict, keep_codes: bool, seed: int) -> pl.DataFrame:
    """Every thing once in each of two shops, which have codes of their own."""
    draw = random.Random(seed)
    rows = []
    for thing in range(THINGS):
        (variant,) = variants_of(thing, 1, words, draw)
        for shop in (0, 1):
            code = "".join(draw.choices("0123456789", k=5)) + "abcdef"[shop]
            title, description = posted(variant, words, draw, again=bool(shop))
            rows.append(
                (title.replace(variant.code, code if keep_codes else ""), description, thing, thing)
            )
    draw.shuffle(rows)
    frame = pl.DataFrame(rows, schema=["title", "description", "variant", "thing"], orient="row")
    return frame.with_columns(item_id=pl.int_range(1, len(rows) + 1).cast(pl.String))


def measure(name: str, frame: pl.DataFrame, adapt: bool | None) -> str:
    """One line: links at 0.5, how many of them join two variants, recall of the duplicates."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue.csv"
        frame.select("item_id", "title", "description").write_csv(path)
        links = nrl_dedup.link(path, adapt=adapt, work_dir=folder).links
    about = frame.select("item_id", "variant", "thing")
    joined = links.join(about, left_on="item_id_l", right_on="item_id").join(
        about, left_on="item_id_r", right_on="item_id", suffix="_r"
    )
    right = int((joined["variant"] == joined["variant_r"]).sum())
    siblings = joined.filter(
        (pl.col("thing") == pl.col("thing_r")) & (pl.col("variant") != pl.col("variant_r"))
    ).height
    counts = frame.group_by("variant").len()["len"]
    duplicates = int((counts * (counts - 1) // 2).sum())
    recall = f"{right / duplicates:.3f}" if duplicates else "-"
    share = siblings / max(1, len(links))
    return (
        f"{name:32} ads {len(frame):5,}  links {len(links):5,}  of them variants {share:.3f}  "
        f"right {right:4,}  recall {recall}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-adapt", action="store_true", help="the shipped model as it is")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    adapt = False if arguments.no_adapt else None
    seed = arguments.seed
    for language, words in (("English", ENGLISH), ("Russian", RUSSIAN)):
        for siblings in (3, 2):
            frame = catalogue(words, siblings, POSTED_TWICE, seed)
            print(measure(f"{language}, {siblings} variants", frame, adapt))
        print(measure(f"{language}, shops' own codes", own_codes(words, True, seed), adapt))
        print(measure(f"{language}, codes deleted", own_codes(words, False, seed), adapt))
        print(measure(f"{language}, each thing once", catalogue(words, 1, 0, seed), adapt))
        print(measure(f"{language}, variants, each once", catalogue(words, 3, 0, seed), adapt))


if __name__ == "__main__":
    main()
