"""How many linked pairs stay linked when sellers change one of the two ads; writes OUT/evasions.md.

    python examples/making/evasions.py examples/catalogue.csv examples/truth.csv OUT --images examples/images

CATALOGUE has Avito's columns. The second file says which pairs are right: truth (itemID, entity), or pairs (item_id_l,
item_id_r), such as `link --links` writes. Of those that `link` puts into one cluster 300 are drawn, no ad in two of
them. For each of the evasions in `measuring/sellers.py`, one ad of each pair is changed, all in one copy of the
catalogue, which is linked again. A pair of which neither ad has what would be changed, such as a photo, is left out of
that evasion. Options that are not known here go to every `nrl-dedup link`.

Links that are finished are kept: the same command goes on after a stop.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from measuring.sellers import EVASIONS, Ad, PhotoChange, WordsChange, write_photo
from measuring.steps import Step, reason, run_all, step
from PIL import UnidentifiedImageError
from results.markdown import section, table, typed
from scipy.stats import binomtest

from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.features.photos.unreadable import UnreadablePhoto

ID, PHOTOS = "itemID", "images_array"
WANTED = 0.9

Pair = tuple[str, str]


def main() -> None:
    options, further = parse_options()
    out: Path = options.out.resolve()
    model = ["--model", options.model.resolve()] if options.model else []
    images = options.images.resolve()
    before = link(out, "unchanged", options.catalogue.resolve(), images, *model, *further)
    run_all([before], out)
    if not before.finished:
        sys.exit(f"The unchanged catalogue cannot be linked: {reason(before)}")
    ads = read_ads(options.catalogue)
    pairs = draw_pairs(right_pairs(options.right), clusters_of(before), options.pairs, options.seed)
    if not pairs:
        sys.exit(
            f"{before.folder / 'dupes.csv'}: not one right pair is in one cluster, so there is nothing to change."
        )
    copy_photos(images, out / "images")
    changed, after = {}, {}
    for name in EVASIONS:
        changed[name] = change_ads(name, ads, pairs, out / "images", options.seed)
        write_ads(ads | {ad[ID]: ad for _, ad in changed[name]}, out / f"{name}.csv")
        after[name] = link(out, name, out / f"{name}.csv", out / "images", *model, *further)
    run_all(list(after.values()), out)
    output = out / "evasions.md"
    counted = {name: count(after[name], [pair for pair, _ in changed[name]]) for name in EVASIONS}
    words = [
        "CATALOGUE",
        options.right.name,
        "OUT",
        "--images",
        "DIR",
        *(["--model", "BUNDLE"] if model else []),
        *further,
    ]
    output.write_text(report(counted, len(pairs), ["examples/making/evasions.py", *words]), "utf-8")
    print(f"Wrote {output}.")


def parse_options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("catalogue", type=Path)
    parser.add_argument(
        "right", type=Path, help="truth (itemID, entity), or pairs (item_id_l, item_id_r)"
    )
    parser.add_argument("out", type=Path, help="for everything that is made")
    parser.add_argument("--images", type=Path, required=True, help="the photo folder")
    parser.add_argument("--model", type=Path, help="a bundle; default: the shipped one")
    parser.add_argument("--pairs", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    return parser.parse_known_args()


def link(out: Path, name: str, catalogue: Path, images: Path, *how: object) -> Step:
    return step(
        out / "links" / name, "link", catalogue, "--images", images, *how, "-o", "{}/dupes.csv"
    )


def read_ads(catalogue: Path) -> dict[str, Ad]:
    return {ad[ID]: ad for ad in pl.read_csv(catalogue, infer_schema=False).iter_rows(named=True)}


def write_ads(ads: dict[str, Ad], path: Path) -> None:
    pl.DataFrame(list(ads.values()), infer_schema_length=None).write_csv(path)


def right_pairs(path: Path) -> list[Pair]:
    """The pairs that the file says are right, in its order."""
    rows = pl.read_csv(path, infer_schema=False)
    if "entity" in rows.columns:
        of_entity = rows.group_by("entity", maintain_order=True).agg(ID)[ID]
        return [pair for ids in of_entity for pair in combinations(ids, 2)]
    return list(rows.select("item_id_l", "item_id_r").iter_rows())


def clusters_of(linked: Step) -> dict[str, str]:
    """The cluster of each ad that is in one."""
    clusters = pl.read_csv(linked.folder / "dupes.csv", infer_schema=False)
    return dict(clusters.select("item_id", "cluster_id").iter_rows())


def together(pair: Pair, clusters: dict[str, str]) -> bool:
    left, right = (clusters.get(item) for item in pair)
    return left is not None and left == right


def draw_pairs(right: list[Pair], clusters: dict[str, str], most: int, seed: int) -> list[Pair]:
    """Linked pairs at random, no ad in two of them; in random order inside each pair: the first ad is to be changed."""
    linked = [pair for pair in right if together(pair, clusters)]
    draw = np.random.default_rng(seed)
    drawn: list[Pair] = []
    used: set[str] = set()
    for place in draw.permutation(len(linked)):
        if len(drawn) < most and used.isdisjoint(linked[place]):
            used.update(linked[place])
            first, second = draw.permutation(linked[place]).tolist()
            drawn.append((first, second))
    return drawn


def change_ads(
    name: str, ads: dict[str, Ad], pairs: list[Pair], folder: Path, seed: int
) -> list[tuple[Pair, Ad]]:
    """Each pair with its changed ad: the first, or the second if there is nothing to change in the first. Pairs with
    nothing to change are left out."""
    draw = np.random.default_rng(seed)
    photos = PhotoFolder(folder)
    changed = []
    for pair in pairs:
        tried = (change_ad(name, ads[item], photos, folder, draw) for item in pair)
        found = next((ad for item, ad in zip(pair, tried, strict=True) if ad != ads[item]), None)
        if found is not None:
            changed.append((pair, found))
    return changed


def change_ad(
    name: str, ad: Ad, photos: PhotoFolder, folder: Path, draw: np.random.Generator
) -> Ad:
    """The ad changed; as it is if there is nothing to change."""
    evasion = EVASIONS[name]
    if isinstance(evasion, WordsChange):
        return evasion.change(ad, draw)
    changed = [
        write_changed(
            evasion, photos, ref, Path("changed") / name / f"{ad[ID]}-{place}.jpg", folder
        )
        or ref
        for place, ref in enumerate(filter(None, (ad[PHOTOS] or "").split(", ")))
    ]
    return ad | {PHOTOS: ", ".join(changed) or ad[PHOTOS]}


def write_changed(
    evasion: PhotoChange, photos: PhotoFolder, ref: str, path: Path, folder: Path
) -> str | None:
    """The reference of the changed photo: a file of its own, for other ads may show the same photo. None if it cannot
    be read."""
    try:
        if not (folder / path).exists():
            write_photo(evasion.on(photos.read(ref)), folder / path)
    except (UnreadablePhoto, UnidentifiedImageError, OSError):
        return None
    return str(path)


def copy_photos(images: Path, copy: Path) -> None:
    """The folder again, by hard links where these can be; `link` opens no symbolic link that leaves its folder."""
    for path in files_below(images):
        target = copy / path.relative_to(images)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, target)
            except OSError:
                shutil.copy2(path, target)


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def count(linked: Step, pairs: list[Pair]) -> tuple[int, int] | str:
    """How many of the pairs are still in one cluster, of how many; or why it is not known."""
    if not linked.finished:
        return f"failed: {reason(linked)}"
    clusters = clusters_of(linked)
    return sum(together(pair, clusters) for pair in pairs), len(pairs)


def report(counted: dict[str, tuple[int, int] | str], pairs: int, command: list[str]) -> str:
    rows = []
    for name, found in counted.items():
        what = EVASIONS[name].what
        if isinstance(found, str):
            rows.append((what, None, None, found, None, None))
            continue
        linked, of = found
        if not of:
            rows.append((what, 0, 0, None, None, None))
            continue
        interval = binomtest(linked, of).proportion_ci(method="wilson")
        low, high = f"{interval.low:.3f}", f"{interval.high:.3f}"
        rows.append(
            (
                what,
                of,
                linked,
                f"{linked / of:.3f}",
                f"{low}-{high}",
                "yes" if linked / of >= WANTED else "no",
            )
        )
    header = (
        "evasion",
        "pairs changed",
        "still linked",
        "share",
        "95 % interval (Wilson)",
        f"at least {WANTED}",
    )
    what = (
        f"{pairs:,} right pairs that `link` had put into one cluster; one ad of each is changed, one thing at a "
        "time."
    )
    return (
        section("Sellers' evasions", what, table(header, rows), typed(command)).replace(
            "##", "#", 1
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
