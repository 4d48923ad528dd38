"""Makes the example catalogue: made-up ads, their photos, labelled pairs and the truth.

    python examples/making/make_examples.py [--ads 300] [--seed 0] [--out examples] [--negatives-per-ad N] [--jobs J]

An entity (one thing for sale) is what its words say (brand, model, facts) together with how it looks. Many
entities have a twin in words that looks different, or a twin in looks that is another model: words alone take the
first for the same thing, photos alone the second. The texts do not tell the looks.
"""

import argparse
import csv
import json
import os
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from photos import COLOURS, PATTERNS, ROOM_COUNT, TRIMS, VARIANTS, Appearance, shot
from wording import GOODS, Wording, write_ad

ITEM_COLUMNS = (
    "itemID", "categoryID", "title", "description", "images_array", "attrsJSON",
    "price", "locationID", "metroID", "lat", "lon",
)  # fmt: skip
PAIR_COLUMNS = ("itemID_1", "itemID_2", "isDuplicate", "generationMethod")
SAME_WORDS, SAME_LOOK, OTHER = 1, 2, 3
# Blocks of entities (words, look), as numbers of distinct words and looks, and the share of entities in each kind.
BLOCKS = {
    "both": (((0, 0), (0, 1), (1, 0), (1, 1)), 0.44),
    "words": (((0, 0), (0, 1)), 0.2),
    "look": (((0, 0), (1, 0)), 0.12),
    "none": (((0, 0),), 0.24),
}
# Of a block's entities, how many are posted once, twice, three times.
POSTS = {
    "both": (0.4, 0.5, 0.1),
    "words": (0.4, 0.5, 0.1),
    "look": (0.5, 0.45, 0.05),
    "none": (0.85, 0.15, 0.0),
}
# Soft goods come in patterns more often than machines do.
PATTERNED = {"sofa", "teapot", "lamp", "sneaker", "chair", "stroller", "backpack", "suitcase"}


# Colours that one light can make of each other are of one hue.
HUES = {
    "red": 0, "brown": 0, "orange": 1, "yellow": 1, "green": 2, "cyan": 3, "blue": 4, "violet": 4,
    "pink": 5, "white": 6, "grey": 6, "black": 7,
}  # fmt: skip


@dataclass(frozen=True)
class Entity:
    """One thing for sale."""

    number: int
    wording: Wording
    appearance: Appearance
    price: int
    block: str


@dataclass(frozen=True)
class Ad:
    """One row of the catalogue."""

    item_id: int
    entity: Entity
    title: str
    description: str
    photos: tuple[int, ...]
    price: int | None
    place: tuple[int, int | None, float, float]


class Pool:
    """Draws words and looks so that no two entities share both, and same words come with plainly other looks."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.looks_of: dict[tuple[str, int], list[Appearance]] = defaultdict(list)
        self.uses: dict[str, np.ndarray] = {
            c: np.zeros(len(g.models), int) for c, g in GOODS.items()
        }

    def wordings(self, category: str, count: int) -> list[Wording]:
        """`count` different models, among the least used so far, with their facts."""
        uses = self.uses[category]
        models = np.lexsort([self.rng.random(len(uses)), uses])[:count]
        uses[models] += 1
        facts = GOODS[category].facts
        return [
            Wording(category, int(model), tuple(int(self.rng.integers(len(f))) for f in facts))
            for model in models
        ]

    def appearance(self, category: str) -> Appearance:
        colour = str(self.rng.choice(list(COLOURS)))
        plain = 0.35 if category in PATTERNED else 0.7
        pattern = "plain" if self.rng.random() < plain else str(self.rng.choice(PATTERNS[1:]))
        return Appearance(
            category,
            colour,
            str(self.rng.choice(TRIMS[colour])),
            pattern,
            int(self.rng.integers(VARIANTS)),
            int(self.rng.integers(ROOM_COUNT)),
        )

    def take(
        self, words: list[Wording], looks: list[Appearance], cells: tuple[tuple[int, int], ...]
    ) -> bool:
        """Notes the looks of each model; False, and nothing noted, if a model would have two that are alike."""
        wanted: dict[tuple[str, int], list[Appearance]] = defaultdict(list)
        for w, a in cells:
            wanted[words[w].category, words[w].model].append(looks[a])
        for model, new in wanted.items():
            if any(alike(a, b) for a, b in combinations(new, 2)):
                return False
            if any(the_same(a, b) for a in new for b in self.looks_of[model]):
                return False
        for model, new in wanted.items():
            self.looks_of[model] += new
        return True


def the_same(a: Appearance, b: Appearance) -> bool:
    """Whether two looks of a model could pass for one."""
    return a.variant == b.variant and HUES[a.colour] == HUES[b.colour]


def alike(a: Appearance, b: Appearance) -> bool:
    """Whether twins in words would look too near to be told apart at a glance: of one shape, or of like colours."""
    return a.variant == b.variant or HUES[a.colour] == HUES[b.colour]


def make_entities(ads: int, rng: np.random.Generator) -> list[tuple[Entity, int]]:
    """Entities and how often each is posted, until there are `ads` posts."""
    pool, made, total = Pool(rng), [], 0
    names = list(BLOCKS)
    # A share counts entities, so a block is drawn in proportion to its share over its size.
    weights = np.array([share / len(cells) for cells, share in BLOCKS.values()])
    categories = list(GOODS)
    turn = 0
    while total < ads:
        block = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        cells = BLOCKS[block][0]
        category = categories[turn % len(categories)]
        turn += 1
        words, looks = _block(pool, category, cells)
        for w, a in cells:
            posts = min(1 + int(rng.choice(3, p=POSTS[block])), ads - total)
            if posts == 0:
                break
            base = GOODS[category].price * float(rng.uniform(0.5, 1.6))
            entity = Entity(len(made), words[w], looks[a], int(round(base, -2)) or 100, block)
            made.append((entity, posts))
            total += posts
    return made


def _block(
    pool: Pool, category: str, cells: tuple[tuple[int, int], ...]
) -> tuple[list[Wording], list[Appearance]]:
    words = pool.wordings(category, 1 + max(w for w, _ in cells))
    for attempt in range(10_000):
        looks = [pool.appearance(category) for _ in range(1 + max(a for _, a in cells))]
        if (
            len(looks) == 2 and attempt % 4 == 0
        ):  # in the same room, so that the room does not tell them apart
            looks[1] = replace(looks[1], room=looks[0].room)
        if pool.take(words, looks, cells):
            return words, looks
    raise SystemExit(f"no look left for another {category}: ask for fewer --ads")


def make_ads(entities: list[tuple[Entity, int]], seed: int, rng: np.random.Generator) -> list[Ad]:
    """One ad for each post, in an order that says nothing."""
    posts = [entity for entity, count in entities for _ in range(count)]
    again = {entity.number for entity, count in entities if count > 1}
    order = rng.permutation(len(posts))
    item_ids = 1000 + np.cumsum(rng.integers(1, 40, len(posts)))
    photo_ids = iter(
        rng.permutation(np.arange(10_000, 10_000 + 30 * len(posts)))[: 3 * len(posts)].tolist()
    )
    ads = []
    for item_id, k in zip(item_ids.tolist(), order.tolist(), strict=True):
        entity = posts[k]
        words = np.random.default_rng([seed, 1, item_id])
        title, description = write_ad(entity.wording, entity.price, words)
        if words.random() < 0.02:
            description = ""
        # Where the words do not suffice, an ad without a photo could not be told from its twin by anyone.
        lone = entity.block in ("look", "none")
        without = (0.04 if entity.number in again else 0.2) * lone
        count = 0 if words.random() < without else int(words.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))
        price = (
            None
            if words.random() < 0.1
            else int(round(entity.price * float(words.uniform(0.95, 1.05)), -1))
        )
        metro = int(words.integers(1, 300)) if words.random() < 0.33 else None
        place = (
            int(words.integers(620_000, 662_000)),
            metro,
            round(float(words.uniform(43.0, 60.0)), 6),
            round(float(words.uniform(30.0, 90.0)), 6),
        )
        ads.append(
            Ad(
                item_id,
                entity,
                title,
                description,
                tuple(next(photo_ids) for _ in range(count)),
                price,
                place,
            )
        )
    return ads


def apart(ads: list[Ad], seed: int, share: float) -> list[Ad]:
    """A share of the ads with each photo in an ad of its own, each in other words: more duplicates of the same photos.

    To train on.
    """
    split = np.random.default_rng([seed, 4]).random(len(ads)) < share
    photos_of = []
    for ad, cut in zip(ads, split, strict=True):
        one_each = [(photo,) for photo in ad.photos] or [()]
        photos_of.append(one_each if cut else [ad.photos])
    posts = [
        replace(ad, photos=photos)
        for ad, each in zip(ads, photos_of, strict=True)
        for photos in each
    ]
    texts = [np.random.default_rng([seed, 3, number]) for number in range(len(posts))]
    written = [
        write_ad(post.entity.wording, post.entity.price, words)
        for post, words in zip(posts, texts, strict=True)
    ]
    return [
        replace(post, item_id=1000 + number, title=title, description=description)
        for number, (post, (title, description)) in enumerate(zip(posts, written, strict=True))
    ]


def photo_path(photo: int) -> str:
    """Avito's place of photo i: Images_{d}/{n}/{i}.jpg with n = i mod 100 and d = n div 10."""
    n = photo % 100
    return f"Images_{n // 10}/{n}/{photo}.jpg"


def make_pairs(
    ads: list[Ad], negatives: int, rng: np.random.Generator
) -> list[tuple[int, int, int, int]]:
    """All duplicate pairs, and `negatives` others: a third share the words, a fourth the look, the rest other
    pairs, half of them of one category."""
    groups: dict[int, dict[tuple, list[Ad]]] = {
        SAME_WORDS: defaultdict(list),
        SAME_LOOK: defaultdict(list),
    }
    of_entity: dict[int, list[Ad]] = defaultdict(list)
    of_category: dict[str, list[Ad]] = defaultdict(list)
    for ad in ads:
        wording = ad.entity.wording
        groups[SAME_WORDS][wording.category, wording.model].append(ad)
        groups[SAME_LOOK][ad.entity.appearance,].append(ad)
        of_entity[ad.entity.number].append(ad)
        of_category[wording.category].append(ad)
    pairs = {
        (a.item_id, b.item_id): (1, int(rng.integers(1, 4)))
        for group in of_entity.values()
        for a, b in combinations(group, 2)
    }
    wanted = len(pairs) + negatives
    for method, share in ((SAME_WORDS, 0.35), (SAME_LOOK, 0.25)):
        found = [
            (a.item_id, b.item_id)
            for group in groups[method].values()
            for a, b in combinations(group, 2)
            if a.entity is not b.entity
        ]
        found = [pair for pair in found if pair not in pairs]
        for k in rng.permutation(len(found))[: int(share * negatives)].tolist():
            pairs[found[k]] = (0, method)
    categories = list(of_category)
    for _ in range(200 * negatives):
        if len(pairs) >= wanted:
            break
        near = rng.random() < 0.6
        group = of_category[categories[rng.integers(len(categories))]] if near else ads
        a, b = (group[int(k)] for k in rng.integers(len(group), size=2))
        key = (min(a.item_id, b.item_id), max(a.item_id, b.item_id))
        if a.entity is not b.entity:
            pairs.setdefault(key, (0, OTHER))
    return [(*key, *value) for key, value in sorted(pairs.items())]


def write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    """RFC 4180, except that lines end with a bare newline, as Avito's do."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def item_row(ad: Ad) -> tuple:
    goods = GOODS[ad.entity.wording.category]
    location, metro, lat, lon = ad.place
    return (
        ad.item_id,
        goods.category_id,
        ad.title,
        ad.description,
        ", ".join(map(str, ad.photos)),
        json.dumps({"Вид товара": goods.avito_kind}, ensure_ascii=False),
        "" if ad.price is None else f"{ad.price:.1f}",
        location,
        "" if metro is None else f"{metro:.1f}",
        lat,
        lon,
    )


def write_photo(task: tuple[str, Appearance, int, int, int]) -> None:
    path, appearance, seed, entity, photo = task
    home = seed * 1_000_003 + entity
    Path(path).write_bytes(shot(appearance, home, np.random.default_rng([seed, 2, entity, photo])))


def make(
    ads: int, seed: int, out: Path, negatives_per_ad: float | None, jobs: int, *, split: float = 0.0
) -> None:
    """Writes catalogue.csv, pairs.csv, truth.csv and images/ under `out`."""
    rng = np.random.default_rng([seed, 0])
    catalogue = make_ads(make_entities(ads, rng), seed, rng)
    if split:
        catalogue = apart(catalogue, seed, split)
    duplicates = len(make_pairs(catalogue, 0, rng))
    negatives = int(
        2.5 * duplicates if negatives_per_ad is None else negatives_per_ad * len(catalogue)
    )
    pairs = make_pairs(catalogue, negatives, rng)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "catalogue.csv", ITEM_COLUMNS, [item_row(ad) for ad in catalogue])
    write_csv(out / "pairs.csv", PAIR_COLUMNS, pairs)
    write_csv(
        out / "truth.csv",
        ("itemID", "entity"),
        [(ad.item_id, ad.entity.number) for ad in catalogue],
    )
    tasks = []
    for ad in catalogue:
        for photo in ad.photos:
            path = out / "images" / photo_path(photo)
            path.parent.mkdir(parents=True, exist_ok=True)
            tasks.append((str(path), ad.entity.appearance, seed, ad.entity.number, photo))
    if jobs == 1:
        for task in tasks:
            write_photo(task)
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
            for _ in workers.map(write_photo, tasks, chunksize=16):
                pass
    positive = sum(label for _, _, label, _ in pairs)
    print(f"{len(catalogue)} ads, {len(tasks)} photos in {out}")
    print(f"{positive} duplicate pairs, {len(pairs) - positive} others")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ads", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument(
        "--negatives-per-ad", type=float, help="default: 2.5 for each duplicate pair"
    )
    parser.add_argument(
        "--apart",
        type=float,
        nargs="?",
        const=1.0,
        default=0.0,
        metavar="SHARE",
        help="each photo in an ad of its own, to train on; of all ads, or of this share of them",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.ads < 1 or options.jobs < 1:
        sys.exit("--ads and --jobs must be at least 1")
    make(
        options.ads,
        options.seed,
        options.out,
        options.negatives_per_ad,
        options.jobs,
        split=options.apart,
    )


if __name__ == "__main__":
    main()
