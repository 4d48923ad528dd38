"""The builder of real ads, on two small repositories of the same layout with made-up ads and photos."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

MAKING = Path(__file__).parents[2] / "examples" / "making"
ADS = 80
CATEGORIES = ["Toys / Blocks", "Home / Chairs", "Sport / Bicycles"]
MAIL, PHONE = "seller@example.org", "+44 7700 900123"
POSTED = "Posted by Jane Doe in Toys, Some Town 3 March 2024"
NAMES = ("Jane", "Doe")


@dataclass
class MadeUp:
    """One made-up ad: `sentences` are what must survive of its description."""

    number: int
    title: str
    sentences: list[str]
    photos: list[bytes]
    like: set[int] = field(default_factory=set)

    @property
    def id(self) -> str:
        return f"{self.number:08x}-0000-4000-8000-{self.number:012x}"

    @property
    def category(self) -> str:
        return CATEGORIES[self.number % 3]

    @property
    def source_title(self) -> str:
        """As it stands in the file, with contacts in every fourth title."""
        contact = f" {PHONE.replace('+44 ', '0')} {MAIL}" if self.number % 4 == 1 else ""
        return f"{self.title}{contact} | Some Town | Marketplace"

    @property
    def source_description(self) -> str:
        first, *rest = self.sentences
        text = " ".join([f"{first} {PHONE} {MAIL}" if self.number % 3 == 1 else first, *rest])
        return f"{text} {POSTED}" if self.number % 2 else text

    def word_sets(self) -> tuple[set[str], set[str]]:
        """What the two descriptions together may hold: the title stands for one where there is one sentence."""
        description = set(words(" ".join(self.sentences)))
        return description, description | set(words(self.title))


def words(text: str) -> list[str]:
    return re.findall(r"\w\w+", text.lower())


def photo(rng: np.random.Generator) -> bytes:
    """400 x 300 pixels between black bars."""
    inside = Image.fromarray(rng.integers(60, 256, (6, 8, 3), dtype=np.uint8)).resize((400, 300))
    canvas = Image.new("RGB", (400, 400))
    canvas.paste(inside, (0, 50))
    file = io.BytesIO()
    canvas.save(file, "JPEG", quality=95)
    return file.getvalue()


def made_up_ads() -> list[MadeUp]:
    """Ads whose words are all different inside an ad; some are near duplicates of the ad before, in three ways."""
    rng = np.random.default_rng(5)
    letters = "bcdfgklmnp"
    pool = [f"{a}a{b}o{c}" for a in letters for b in letters for c in "rstx"]
    ads: list[MadeUp] = []
    for number in range(ADS):
        drawn = rng.permutation(pool)[:22].tolist()
        title = f"Thing{number} {drawn[20]} {drawn[21]}"
        count = 1 if number % 7 == 3 else 5
        sentences = [f"{' '.join(drawn[4 * k : 4 * k + 4])}." for k in range(count)]
        ad = MadeUp(number, title, sentences, [photo(rng), photo(rng)])
        before = ads[-1] if ads else ad
        if number % 10 == 2:  # the same description
            ad.sentences = before.sentences
        elif number % 10 == 6 and len(before.sentences) == 5:  # the same title and beginning
            ad.title, ad.sentences = (
                before.title,
                [*before.sentences[:4], f"{' '.join(drawn[:4])} end{number}."],
            )
        elif number % 10 == 9:  # a photo in common
            ad.photos[1] = before.photos[0]
        if number and (
            ad.title == before.title
            or ad.sentences == before.sentences
            or ad.photos[1] in before.photos
        ):
            ad.like, before.like = {number - 1}, {number}
        ads.append(ad)
    return ads


def commit(folder: Path) -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    people = {
        f"GIT_{who}_{what}": "nobody"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-q", "-m", "all"],
        ["rev-parse", "HEAD"],
    ):
        done = subprocess.run(
            ["git", *command],
            cwd=folder,
            env={**os.environ, **settings, **people},
            check=True,
            capture_output=True,
        )
    return done.stdout.decode().strip()


@dataclass(frozen=True)
class Sources:
    """The two repositories and the commits to take."""

    photos: Path
    text: Path
    photos_commit: str
    text_commit: str
    ads: list[MadeUp]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    ads = made_up_ads()
    products = [
        [ad.id, ad.source_title, ad.category, ad.source_description, f"£{10 + ad.number}.00"]
        for ad in ads
    ]
    images = []
    (folder / "photos" / "cleaned_images").mkdir(parents=True)
    for ad in ads:
        for k, content in enumerate(ad.photos):
            name = f"{k}{ad.id[1:]}"
            images.append([name, ad.id])
            (folder / "photos" / "cleaned_images" / f"{name}.jpg").write_bytes(content)
    products += [["torn", None, None, None, None], products[0]]
    left_out = {
        "one photo": "1",
        "three photos": "345",
        "photos that are not there": "xy",
        "no words": "67",
    }
    for k, (why, names) in enumerate(left_out.items()):
        ad_id = f"ffffff{k:02x}-0000-4000-8000-000000000000"
        products.append(
            [
                ad_id,
                f"Left out for {why}",
                CATEGORIES[0],
                "" if why == "no words" else "Never seen.",
                "",
            ]
        )
        images += [[name, ad_id] for name in names]
    for name in "134567":
        (folder / "photos" / "cleaned_images" / f"{name}.jpg").write_bytes(ads[0].photos[0])
    (folder / "text" / "data").mkdir(parents=True)
    columns = ["id", "product_name", "category", "product_description", "price"]
    for path, header, rows in (
        ("Products", columns, products),
        ("Images", ["id", "product_id"], images),
    ):
        with (folder / "text" / "data" / f"{path}.csv").open(
            "w", newline="", encoding="utf-8"
        ) as file:
            csv.writer(file).writerows([["", *header], *([k, *row] for k, row in enumerate(rows))])
    photos, text = folder / "photos", folder / "text"
    return Sources(photos, text, commit(photos), commit(text), ads)


def build(*arguments: object) -> None:
    """Runs the script in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(MAKING))
        patch.setattr("sys.argv", ["real_ads.py", *map(str, arguments)])
        import real_ads

        real_ads.main()


def commits(sources: Sources) -> list[str]:
    return ["--photos-commit", sources.photos_commit, "--text-commit", sources.text_commit]


@pytest.fixture(scope="module")
def out(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    build(sources.photos, sources.text, folder, *commits(sources))
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


@dataclass(frozen=True)
class Built:
    items: dict[str, dict[str, str]]
    pairs: list[dict[str, str]]
    ad_of: dict[str, MadeUp]  # by item
    fold_of: dict[int, str]  # by the ad's number


@pytest.fixture(scope="module")
def built(out: Path, sources: Sources) -> Built:
    """The set, each item led back to its made-up ad by its words."""
    items = {row["itemID"]: row for row in rows(out / "ItemInfo.csv")}
    by_entity: dict[str, list[str]] = {}
    truth = rows(out / "truth.csv")
    for row in truth:
        by_entity.setdefault(row["entity"], []).append(row["itemID"])
    ad_of: dict[str, MadeUp] = {}
    for pair in by_entity.values():
        titles = {items[item]["title"] for item in pair}
        found = {word for item in pair for word in words(items[item]["description"])}
        (ad,) = (ad for ad in sources.ads if ad.title in titles and found in ad.word_sets())
        ad_of |= dict.fromkeys(pair, ad)
    return Built(
        items,
        rows(out / "ItemPairs.csv"),
        ad_of,
        {ad_of[row["itemID"]].number: row["fold"] for row in truth},
    )


def test_an_ad_becomes_two_postings_with_one_photo_and_half_of_its_words_each(built: Built):
    assert set(Counter(ad.number for ad in built.ad_of.values()).values()) == {2}
    assert 0.4 * ADS < len(built.fold_of) < 0.8 * ADS
    for ad in {ad.number: ad for ad in built.ad_of.values()}.values():
        first, second = (
            built.items[item] for item in built.items if built.ad_of[item].number == ad.number
        )
        if second["title"] == ad.title:
            first, second = second, first
        assert first["title"] == ad.title
        assert second["title"] == second["description"].split(".")[0][:50]
        if len(ad.sentences) == 1:
            assert (first["description"], second["description"]) == (ad.title, ad.sentences[0])
        else:
            halves = [re.findall(r"[^.]+\.", half["description"]) for half in (first, second)]
            halves = [[sentence.strip() for sentence in half] for half in halves]
            assert sorted(map(len, halves)) == [2, 3]
            assert sorted(halves[0] + halves[1]) == sorted(ad.sentences)
        assert first["images_array"] != second["images_array"]
        for posting in (first, second):
            assert 0.849 <= float(posting["price"]) / (10 + ad.number) <= 1.151


def test_no_personal_data_survive(out: Path, sources: Sources):
    source = " ".join(ad.source_title + ad.source_description for ad in sources.ads)
    assert source.count(MAIL) > 20 and source.count(POSTED) > 20
    for row in rows(out / "ItemInfo.csv"):
        text = f"{row['title']} {row['description']}"
        assert not re.search(r"@|Posted|example|Some Town|\d[\d\s-]{5,}\d", text)
        assert not any(name in text for name in NAMES)


def test_only_duplicates_are_of_one_ad_and_negatives_are_of_two_groups_in_one_fold(built: Built):
    duplicates = []
    for pair in built.pairs:
        a, b = built.ad_of[pair["itemID_1"]], built.ad_of[pair["itemID_2"]]
        assert int(pair["itemID_1"]) < int(pair["itemID_2"])
        assert (a is b) == (pair["isDuplicate"] == "1")
        assert b.number not in a.like
        assert {pair["fold"]} == {built.fold_of[a.number], built.fold_of[b.number]}
        duplicates += [a.number] * (a is b)
    assert sorted(duplicates) == sorted(built.fold_of)
    assert len({(pair["itemID_1"], pair["itemID_2"]) for pair in built.pairs}) == len(built.pairs)
    assert len(built.pairs) - len(built.fold_of) > 1.5 * len(built.fold_of)


def test_negatives_are_of_one_category_or_near_by_tf_idf(built: Built, sources: Sources):
    texts = [words(f"{ad.title} {' '.join(ad.sentences)}") for ad in sources.ads]
    frequency = Counter(word for text in texts for word in set(text))
    vocabulary = [word for word, count in frequency.items() if count >= 2]
    counts = np.array([[text.count(word) for word in vocabulary] for text in texts])
    idf = np.log((1 + len(texts)) / (1 + np.array([frequency[word] for word in vocabulary]))) + 1
    vectors = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T

    def near(a: MadeUp, b: MadeUp) -> bool:
        fold = built.fold_of[a.number]
        others = [
            n for n, f in built.fold_of.items() if f == fold and n != a.number and n not in a.like
        ]
        fifth = sorted(likeness[a.number, others])[-5:][0]
        return likeness[a.number, b.number] >= fifth - 1e-9

    kinds: Counter = Counter()
    for pair in built.pairs:
        if pair["isDuplicate"] == "0":
            a, b = built.ad_of[pair["itemID_1"]], built.ad_of[pair["itemID_2"]]
            assert a.category == b.category or near(a, b) or near(b, a)
            kinds[a.category == b.category] += 1
    assert min(kinds.values()) > 0.2 * sum(kinds.values())


def test_folds_do_not_split_a_group(built: Built, sources: Sources):
    assert set(built.fold_of.values()) == set("01234")
    alike = [(ad.number, other) for ad in sources.ads for other in ad.like]
    assert sum(a in built.fold_of for a, _ in alike) > 10
    assert all(built.fold_of.get(a) == built.fold_of.get(b) for a, b in alike)


def test_photos_lose_their_bars_and_are_made_small_and_the_second_is_in_another_light(
    out: Path, built: Built
):
    def mean_colours(photo: Image.Image) -> np.ndarray:
        return np.asarray(photo.convert("RGB").resize((8, 6), Image.Resampling.BOX), dtype=float)

    changed: Counter = Counter()
    shown: dict[int, set[int]] = {}
    for item, row in built.items.items():
        number = int(row["images_array"])
        path = out / "images" / f"Images_{number % 100 // 10}" / str(number % 100) / f"{number}.jpg"
        with Image.open(path) as posted:
            assert posted.format == "JPEG" and min(posted.size) == 256
            assert abs(posted.width / posted.height - 4 / 3) < 0.02
            colours = mean_colours(posted)
        ad = built.ad_of[item]
        sources = [
            mean_colours(Image.open(io.BytesIO(photo)).crop((0, 50, 400, 350)))
            for photo in ad.photos
        ]
        which = int(
            np.argmax([np.corrcoef(colours.ravel(), source.ravel())[0, 1] for source in sources])
        )
        shown.setdefault(ad.number, set()).add(which)
        changed[which, np.abs(colours - sources[which]).mean() > 4] += 1
    assert all(photos == {0, 1} for photos in shown.values())
    assert changed[0, True] == 0 and changed[1, True] > 0.9 * len(shown)


def test_two_runs_give_the_same_bytes_from_clones_and_from_bare_git_directories(
    out: Path, sources: Sources, tmp_path: Path
):
    for name, repository in (("photos.git", sources.photos), ("text.git", sources.text)):
        subprocess.run(
            ["git", "clone", "-q", "--bare", repository, tmp_path / name],
            check=True,
            capture_output=True,
        )
    again = tmp_path / "parent" / "again"
    command = [
        sys.executable,
        MAKING / "real_ads.py",
        tmp_path / "photos.git",
        tmp_path / "text.git",
        again,
    ]
    done = subprocess.run([*command, *commits(sources)], check=True, capture_output=True, text=True)
    assert f"{ADS} real ads" in done.stdout

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
        }

    assert contents(again) == contents(out)


def test_nrl_dedup_reads_all_of_it(out: Path, built: Built):
    from nrl_dedup.catalogue.labelled_pairs import read_pairs
    from nrl_dedup.catalogue.read import read_catalogue
    from nrl_dedup.features.photos.photo_folder import PhotoFolder, find_photo_folder

    catalogue = read_catalogue(out / "ItemInfo.csv")
    assert set(catalogue.ids) == set(built.items) and catalogue.bad_count == 0
    labelled = read_pairs(out / "ItemPairs.csv", catalogue)
    assert len(labelled) == len(built.pairs)
    assert labelled.frame["is_duplicate"].sum() == len(built.fold_of)
    images = find_photo_folder(out / "ItemInfo.csv")
    assert images is not None
    photos = catalogue.frame["photos"].list.explode().to_list()
    assert len(photos) == len(built.items) and (PhotoFolder(images).sizes(photos) > 0).all()


def test_what_is_wrong_is_said_in_one_line(sources: Sources, out: Path, tmp_path: Path):
    absent = tmp_path / "absent"
    shutil.copytree(sources.photos, absent)
    for entry in subprocess.run(
        ["git", "ls-tree", "HEAD:cleaned_images"],
        cwd=absent,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines():
        blob = entry.split()[2]
        (absent / ".git" / "objects" / blob[:2] / blob[2:]).unlink(missing_ok=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    file = tmp_path / "file"
    file.touch()
    new = tmp_path / "new"
    given = commits(sources)
    for arguments, message in (
        ([tmp_path / "nowhere", sources.text, new, *given], "nowhere: no such folder"),
        ([empty, sources.text, new, *given], "empty: fatal: not a git repository"),
        ([sources.photos / "cleaned_images", sources.text, new, *given], "not a git repository"),
        (
            [sources.photos, sources.text, new],
            "commit fbd27447f01aba1a1e557c83d37a45f633c25b06 is not in",
        ),
        ([sources.photos, sources.photos, new, *given], f"commit {sources.text_commit} is not in"),
        ([sources.photos, sources.text, out, *given], "there is something already"),
        ([sources.photos, sources.text, file, *given], "file: cannot be made"),
        ([absent, sources.text, new, *given], "is listed but absent"),
    ):
        with pytest.raises(SystemExit, match=re.escape(message)) as stop:
            build(*arguments)
        assert len(str(stop.value).splitlines()) == 1
