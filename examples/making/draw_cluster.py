"""Draw one cluster that `link` found: its ads side by side, each with its photos, its title, its price and its text.

nrl-dedup link examples/catalogue.csv --images examples/images -o dupes.csv
python examples/making/draw_cluster.py dupes.csv examples/cluster.png --cluster 1038
"""

import argparse
import textwrap
from pathlib import Path

import polars as pl
from make_examples import photo_path
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont, ImageOps

EXAMPLES = Path(__file__).parents[1]
CARD, MARGIN = 320, 16  # pixels: the width of an ad and the space around it
PHOTO = 156  # pixels a side: two photos fit side by side into an ad
TEXT_SIZE, LINE = 15, 20  # pixels
LETTERS = 35  # of DejaVu Sans at that size in the width of a card
TEXT_LINES = 6
COLOURS = 96  # of the picture's palette: enough for rendered photos, and a third of the bytes of full colour
INK, FAINT, PAPER = "#202020", "#707070", "#ffffff"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dupes", type=Path, help="what `nrl-dedup link` wrote")
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    parser.add_argument("--cluster", required=True, help="its cluster_id in the first file")
    parser.add_argument(
        "--ads", type=Path, default=EXAMPLES, help="folder with catalogue.csv and images/"
    )
    options = parser.parse_args()
    picture = draw(
        ads_of(options.dupes, options.cluster, options.ads / "catalogue.csv"),
        options.ads / "images",
    )
    picture.quantize(COLOURS).save(options.picture, optimize=True)


def ads_of(dupes: Path, cluster: str, catalogue: Path) -> list[dict[str, str]]:
    """The rows of the catalogue that are in the cluster, with their score."""
    members = pl.read_csv(dupes, infer_schema=False).filter(pl.col("cluster_id") == cluster)
    if members.is_empty():
        raise SystemExit(f"{dupes} has no cluster {cluster}.")
    rows = pl.read_csv(catalogue, infer_schema=False).fill_null("")
    return members.join(
        rows, left_on="item_id", right_on="itemID", maintain_order="left"
    ).to_dicts()


def draw(ads: list[dict[str, str]], images: Path) -> Image.Image:
    height = MARGIN + PHOTO + MARGIN + (2 + TEXT_LINES + 1) * LINE + MARGIN
    sheet = Image.new("RGB", (MARGIN + len(ads) * (CARD + MARGIN), height), PAPER)
    for number, ad in enumerate(ads):
        draw_ad(sheet, MARGIN + number * (CARD + MARGIN), ad, images)
    return sheet


def draw_ad(sheet: Image.Image, left: int, ad: dict[str, str], images: Path) -> None:
    for number, photo in enumerate(ad["images_array"].split(", ")[:2]):
        with Image.open(images / photo_path(int(photo))) as opened:
            shown = ImageOps.fit(opened.convert("RGB"), (PHOTO, PHOTO))
        sheet.paste(shown, (left + number * (CARD - PHOTO), MARGIN))
    pen = ImageDraw.Draw(sheet)
    top = MARGIN + PHOTO + MARGIN
    price = f"{float(ad['price']):,.0f} ₽".replace(",", " ") if ad["price"] else "no price"
    (title,) = textwrap.wrap(ad["title"], LETTERS - 3, max_lines=1, placeholder=" …")
    pen.text((left, top), title, INK, font("DejaVu Sans:bold"))
    pen.text((left, top + LINE), price, INK, font("DejaVu Sans"))
    text = textwrap.wrap(
        " ".join(ad["description"].split()), LETTERS, max_lines=TEXT_LINES, placeholder=" …"
    )
    for number, line in enumerate(text, 2):
        pen.text((left, top + number * LINE), line, INK, font("DejaVu Sans"))
    said = f"ad {ad['item_id']}, score {float(ad['score']):.3f}"
    pen.text((left, top + (2 + TEXT_LINES) * LINE), said, FAINT, font("DejaVu Sans"))


def font(name: str) -> ImageFont.FreeTypeFont:
    """A font of matplotlib's, which has Cyrillic letters."""
    return ImageFont.truetype(font_manager.findfont(name), TEXT_SIZE)


if __name__ == "__main__":
    main()
