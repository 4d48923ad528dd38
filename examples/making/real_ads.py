"""Real classified ads with constructed duplicates: a set to train and measure on, made from two public repositories.

    python examples/making/real_ads.py PHOTOS_REPOSITORY TEXT_REPOSITORY OUT

PHOTOS_REPOSITORY is a clone (or a bare git directory) of github.com/amosmike/facebook-market-search, TEXT_REPOSITORY
one of github.com/jose-zothner-meyer/Facebook-marketplace-recommendation-ranking-system; nothing is checked out there.
OUT, a new or empty folder, gets ItemInfo.csv and ItemPairs.csv (Avito's columns; the pairs also have their fold),
truth.csv (item, ad, fold) and images/ (Avito's folders):

    nrl-dedup train OUT/ItemInfo.csv OUT/ItemPairs.csv --language en

The ads are real, in English. The duplicates are constructed: nobody has labelled the re-posts among these ads.

- An ad with two photos becomes two postings of one photo each. One has the title and every other sentence of the
  description, one has the rest of the sentences, and for a title the beginning of these. Where the description is one
  sentence, one posting has the title (as its description too) and the other the description. No sentence is in both.
- Photos are degraded as sellers do: black bars are cut off, the second photo gets another brightness, contrast,
  saturation and tint, and all are made small and saved again as JPEG. In six of ten postings the price moves by up to
  15 %.
- Each ad gives one duplicate pair and two negatives, pairs of one of its postings with one of another ad's. One of the
  other ads is of the same leaf category, one is among the five nearest by tf-idf of the whole ads' words (fewer, if
  of the sixty nearest ads not even five are in the same fold).
- Ads with the same title and beginning, the same description or a photo in common may be natural re-posts. They are one
  group: no negative is inside a group, and each group is in one of five folds. Negatives stay inside a fold, so no pair
  is lost when some folds train and others test. A re-post that shares nothing of this is not known to be one.
- Six tenths of the groups are used, those with certain hashes. Of the others only the words count, in the tf-idf.

Personal data go from the texts: "Posted by ...", e-mail addresses, phone numbers. A seller's own sentence may still
name somebody, and the photos are people's own: keep the set to yourself. One seed gives the same files each time, byte
for byte with the same versions of numpy, Pillow and scikit-learn; another seed draws other halves, photos' light and
negatives for the same ads in the same folds.
"""

import argparse
import hashlib
import io
import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from make_examples import ITEM_COLUMNS, PAIR_COLUMNS, photo_path, write_csv
from PIL import Image, ImageEnhance

PHOTOS_COMMIT = "fbd27447f01aba1a1e557c83d37a45f633c25b06"
TEXT_COMMIT = "d53df6bff0cb1c64f4d566a55e18d50b2a41ad1d"
PHOTOS_FOLDER = "cleaned_images"
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"  # other ids are pieces of rows that were torn apart
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
POSTED = (
    re.compile(rf"Posted by .{{0,200}}?\d{{1,2}} (?:{MONTH}) \d{{4}}", re.DOTALL),
    re.compile(r"Posted by\b.{0,120}?\.", re.DOTALL),
)
EMAIL = re.compile(r"\S+@\S+")
NUMBER = re.compile(r"(?:\+?\d[\s-]?){7,}")
PHONE = re.compile(r"\+?\d(?:[\s-]?\d){9,}")  # titles have model numbers, which are shorter
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
USED_TENTHS, FOLDS = 6, 5
NEAREST, SEARCHED = 5, 60
SMALLEST_INSIDE = 32
SHORTER_SIDE = 256
DARK = 24  # a row or column no lighter than this is a bar's
QUALITY = 88
DUPLICATE, DIFFERENT = 1, 3  # generationMethod
NOWHERE = ("",) * 4  # location, metro, latitude, longitude


@dataclass(frozen=True)
class Ad:
    """One real ad without personal data, and its two photos' names."""

    id: str
    title: str
    description: str
    category: str
    price: str
    photos: tuple[str, str]


@dataclass(frozen=True)
class Light:
    """Other light and another camera, as factors."""

    brightness: float
    contrast: float
    colour: float
    tint: tuple[float, float, float]

    def on(self, photo: Image.Image) -> Image.Image:
        photo = ImageEnhance.Brightness(photo).enhance(self.brightness)
        photo = ImageEnhance.Contrast(photo).enhance(self.contrast)
        photo = ImageEnhance.Color(photo).enhance(self.colour)
        return Image.fromarray(
            np.clip(np.asarray(photo) * np.array(self.tint), 0, 255).astype(np.uint8)
        )


@dataclass(frozen=True)
class Posting:
    """One half of an ad, as it is posted."""

    item_id: int
    ad: int
    title: str
    description: str
    price: str
    photo: str
    photo_id: int
    light: Light | None


@dataclass(frozen=True)
class Repository:
    """A repository at one commit."""

    path: Path
    commit: str

    def git(self, *arguments: str) -> bytes:
        """What git answers; nothing above `path` is taken for the repository."""
        try:
            return subprocess.run(self.command(*arguments), capture_output=True, check=True).stdout
        except FileNotFoundError:
            raise SystemExit("git is not installed: it reads the two repositories.") from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            raise SystemExit(f"{self.path}: {said[-1] if said else 'git failed'}") from None

    def command(self, *arguments: str) -> list[str]:
        inside = self.path / ".git"
        return ["git", f"--git-dir={inside if inside.exists() else self.path}", *arguments]

    @contextmanager
    def blobs(self) -> Iterator[Callable[[str], bytes]]:
        """A function from a blob's name to its content: one git process reads them all."""
        command = self.command("cat-file", "--batch")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:

            def read(blob: str) -> bytes:
                git.stdin.write(f"{blob}\n".encode())
                git.stdin.flush()
                answer = git.stdout.readline().split()  # name, kind and size, or name and "missing"
                if len(answer) != 3:
                    raise SystemExit(
                        f"{self.path}: blob {blob} is listed but absent. Clone the whole repository."
                    )
                return git.stdout.read(int(answer[2]) + 1)[:-1]

            yield read


def open_repository(path: Path, commit: str) -> Repository:
    """The repository at `path`, or a word about what is wrong with it."""
    repository = Repository(path, commit)
    if not path.is_dir():
        raise SystemExit(f"{path}: no such folder. Wanted a clone or a bare git directory.")
    repository.git("rev-parse", "--git-dir")
    if subprocess.run(
        repository.command("cat-file", "-e", f"{commit}^{{commit}}"), capture_output=True
    ).returncode:
        raise SystemExit(
            f"{path}: commit {commit} is not in this repository. Is it the right one, cloned whole?"
        )
    return repository


def read_photos(repository: Repository) -> dict[str, str]:
    """The blob of each photo, by the photo's name: the same blob is the same photo, byte for byte."""
    listing = repository.git("ls-tree", "-z", f"{repository.commit}:{PHOTOS_FOLDER}").decode()
    entries = (entry.split("\t") for entry in listing.split("\0") if entry)
    return {
        name.removesuffix(".jpg"): kind.split()[2]
        for kind, name in entries
        if name.endswith(".jpg")
    }


def read_ads(repository: Repository, photos: dict[str, str]) -> list[Ad]:
    """The ads that have two photos and some words, in the order of their file."""
    products, images = (
        pl.read_csv(repository.git("show", f"{repository.commit}:data/{name}"), infer_schema=False)
        for name in ("Products.csv", "Images.csv")
    )
    photos_of = defaultdict(set)
    for photo, product in images.select("id", "product_id").iter_rows():
        if photo in photos:
            photos_of[product].add(photo)
    ads = []
    products = products.filter(pl.col("id").str.contains(UUID)).unique(
        "id", keep="first", maintain_order=True
    )
    for row in products.iter_rows(named=True):
        title = (
            (row["product_name"] or "").partition("|")[0].strip()
        )  # behind the bar stand the place and the site
        description = clean_description(row["product_description"] or "")
        if len(photos_of[row["id"]]) == 2 and len(title) >= 3 and len(description) >= 10:
            first, second = sorted(photos_of[row["id"]])
            price = re.sub(r"[^0-9.]", "", row["price"] or "")
            ads.append(
                Ad(
                    row["id"],
                    clean_title(title),
                    description,
                    row["category"],
                    price,
                    (first, second),
                )
            )
    return ads


def clean_title(title: str) -> str:
    """The title without personal data."""
    return without(title, EMAIL, PHONE).strip()


def clean_description(description: str) -> str:
    """The description without personal data."""
    return re.sub(r"[ \t]+", " ", without(description, *POSTED, EMAIL, NUMBER)).strip()


def without(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub(" ", text)
    return text


def group_ads(ads: list[Ad], photos: dict[str, str]) -> list[int]:
    """For each ad the ad that its group is named after. A group's ads may be re-posts of one another."""
    parent = list(range(len(ads)))

    def head(ad: int) -> int:
        while parent[ad] != ad:
            ad = parent[ad]
        return ad

    shared: list[tuple[int, tuple[str, ...]]] = []
    for number, ad in enumerate(ads):
        title, description = ad.title.lower(), ad.description.lower()
        shared += [
            (number, ("beginning", title, description[:80])),
            (number, ("description", description)),
        ]
    names = sorted((name, number) for number, ad in enumerate(ads) for name in ad.photos)
    shared += [(number, ("photo", photos[name])) for name, number in names]
    first: dict[tuple[str, ...], int] = {}
    for number, what in shared:
        parent[head(number)] = head(first.setdefault(what, number))
    return [head(number) for number in range(len(ads))]


def fold_of(group: str) -> int | None:
    """The fold of a group, by a hash of its name; None for the groups that are not used."""
    number = int(hashlib.sha1(group.encode()).hexdigest(), 16)
    return number // 10 % FOLDS if number % 10 < USED_TENTHS else None


def make_postings(ads: list[Ad], used: list[int], rng: random.Random) -> list[Posting]:
    """Two postings of each used ad, one after the other, in the order of `used`."""
    postings: list[Posting] = []
    item_ids = rng.sample(range(1, 10 * len(used)), 2 * len(used))
    photo_id = 100
    for number in used:
        ad = ads[number]
        for second, (title, description) in enumerate(halves(ad, rng)):
            photo_id += rng.randint(1, 9)
            light = draw_light(rng) if second else None
            price = ad.price
            if price and rng.random() < 0.6:
                price = f"{float(price) * rng.uniform(0.85, 1.15):.2f}"
            item_id = item_ids[len(postings)]
            postings.append(
                Posting(
                    item_id, number, title, description, price, ad.photos[second], photo_id, light
                )
            )
    return postings


def halves(ad: Ad, rng: random.Random) -> list[tuple[str, str]]:
    """Title and description of an ad's two postings."""
    sentences = [
        sentence.strip() for sentence in SENTENCE_END.split(ad.description) if sentence.strip()
    ]
    if len(sentences) < 2:
        parts = [(ad.title, ""), ("", ad.description)]
    else:
        rng.random()  # decides nothing: without it the set would be another than the one that was measured
        parts = [(ad.title, " ".join(sentences[0::2])), ("", " ".join(sentences[1::2]))]
    if rng.random() < 0.5:
        parts.reverse()
    return [
        (title or description.split(".")[0][:50], description or title)
        for title, description in parts
    ]


def draw_light(rng: random.Random) -> Light:
    brightness, contrast, colour = (
        rng.uniform(0.7, 1.3),
        rng.uniform(0.75, 1.25),
        rng.uniform(0.6, 1.4),
    )
    red, green, blue = (rng.uniform(0.88, 1.12) for _ in range(3))
    return Light(brightness, contrast, colour, (red, green, blue))


def make_pairs(
    postings: list[Posting],
    ads: list[Ad],
    groups: list[int],
    folds: list[int | None],
    rng: random.Random,
) -> list[tuple[int, int, int, int, int]]:
    """Rows of ItemPairs.csv: the duplicate of each used ad, and up to two negatives for it."""
    used = [posting.ad for posting in postings[::2]]
    items = [(a.item_id, b.item_id) for a, b in zip(postings[::2], postings[1::2], strict=True)]
    group = np.array([groups[ad] for ad in used])
    fold = np.array([folds[ad] for ad in used])
    category = np.array([ads[ad].category for ad in used])
    likeness = text_likeness(ads, used)
    pairs = set()
    for at, item in enumerate(items):
        pairs.add((*sorted(item), 1, DUPLICATE, int(fold[at])))
        allowed = (fold == fold[at]) & (group != group[at])
        nearest = np.argsort(-likeness[at], kind="stable")[:SEARCHED]
        near = nearest[allowed[nearest]][:NEAREST]
        same = np.flatnonzero(allowed & (category == category[at]))
        for pool in (near.tolist(), same.tolist()):
            if pool:
                other = items[rng.choice(pool)]
                pair = item[rng.randint(0, 1)], other[rng.randint(0, 1)]
                pairs.add((*sorted(pair), 0, DIFFERENT, int(fold[at])))
    return sorted(pairs)


def text_likeness(ads: list[Ad], used: list[int]) -> np.ndarray:
    """Cosine of the tf-idf vectors of the used ads, weighted as in all ads: [used, used]."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [f"{ad.title} {ad.description}" for ad in ads]
    vectors = TfidfVectorizer(min_df=2, sublinear_tf=True).fit_transform(texts)[used]
    likeness = (vectors @ vectors.T).toarray()
    np.fill_diagonal(likeness, -1)
    return likeness


def degrade(content: bytes, light: Light | None) -> Image.Image:
    """The photo as a seller would post it: without bars, in another light, small."""
    with Image.open(io.BytesIO(content)) as file:
        photo = without_bars(file.convert("RGB"))
    if light:
        photo = light.on(photo)
    scale = SHORTER_SIDE / min(photo.size)
    if scale < 1:
        size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
        photo = photo.resize(size, Image.Resampling.LANCZOS)
    return photo


def without_bars(photo: Image.Image) -> Image.Image:
    """The part inside the black bars; the whole photo if that part is hardly anything."""
    bright = np.asarray(photo.convert("L")) > DARK
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if min(len(rows), len(columns)) < SMALLEST_INSIDE:
        return photo
    return photo.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))


def write_photos(
    postings: list[Posting], photos: dict[str, str], repository: Repository, folder: Path
) -> None:
    with repository.blobs() as read:
        for posting in postings:
            path = folder / photo_path(posting.photo_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            degrade(read(photos[posting.photo]), posting.light).save(path, quality=QUALITY)


def item_row(posting: Posting, category_id: int) -> tuple:
    ad = (posting.item_id, category_id, posting.title, posting.description, posting.photo_id)
    return (*ad, "", posting.price, *NOWHERE)


def make(photos_repository: Repository, text_repository: Repository, out: Path, seed: int) -> None:
    """Writes the set under `out`; the tables last, so that a set that has them is whole."""
    photos = read_photos(photos_repository)
    ads = read_ads(text_repository, photos)
    groups = group_ads(ads, photos)
    folds = [fold_of(ads[group].id) for group in groups]
    rng = random.Random(seed)
    used = [number for number, fold in enumerate(folds) if fold is not None]
    rng.shuffle(used)
    postings = make_postings(ads, used, rng)
    pairs = make_pairs(postings, ads, groups, folds, rng)
    write_photos(postings, photos, photos_repository, out / "images")
    postings.sort(key=lambda posting: posting.item_id)
    category_ids = {
        category: k for k, category in enumerate(sorted({ad.category for ad in ads}), 1)
    }
    rows = [item_row(posting, category_ids[ads[posting.ad].category]) for posting in postings]
    truth = [(posting.item_id, posting.ad, folds[posting.ad]) for posting in postings]
    write_csv(out / "ItemPairs.csv", (*PAIR_COLUMNS, "fold"), pairs)
    write_csv(out / "truth.csv", ("itemID", "entity", "fold"), truth)
    write_csv(out / "ItemInfo.csv", ITEM_COLUMNS, rows)
    duplicates = sum(label for _, _, label, _, _ in pairs)
    print(
        f"{len(ads):,} real ads with two photos, {len(used):,} of them used, {len(postings):,} postings in {out}"
    )
    print(
        f"{len(pairs):,} pairs: {duplicates:,} duplicates, {len(pairs) - duplicates:,} others, in {FOLDS} folds"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos_repository", type=Path)
    parser.add_argument("text_repository", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos-commit", default=PHOTOS_COMMIT, help="default: %(default)s")
    parser.add_argument("--text-commit", default=TEXT_COMMIT, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="default: %(default)s")
    options = parser.parse_args()
    photos = open_repository(options.photos_repository, options.photos_commit)
    text = open_repository(options.text_repository, options.text_commit)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if any(options.out.iterdir()):
            raise SystemExit(
                f"{options.out}: there is something already. Name another folder, or empty it."
            )
    except OSError as error:
        raise SystemExit(f"{options.out}: cannot be made ({error.strerror}).") from None
    make(photos, text, options.out, options.seed)


if __name__ == "__main__":
    main()
