"""What sellers do to an ad so that it is not known again, one thing at a time."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from wording import LOOKALIKES, TO_CYRILLIC

Ad = dict[str, str | None]

TEXTS, PRICE = ("title", "description"), "price"
CROPPED = 0.1  # of the width and of the height, on each side
RAISED = 0.1
STAMP, STAMP_HEIGHT = "BEST PRICE", 1 / 6  # of the photo's
KEPT_QUALITY, LOW_QUALITY = 90, 25  # of JPEG


@dataclass(frozen=True)
class WordsChange:
    """`change` gives the ad anew, and the ad as it is where there is nothing to change."""

    what: str
    change: Callable[[Ad, np.random.Generator], Ad]


@dataclass(frozen=True)
class PhotoChange:
    """All of an ad's photos, saved again as JPEG."""

    what: str
    change: Callable[[Image.Image], Image.Image]
    quality: int = KEPT_QUALITY

    def on(self, content: bytes) -> bytes:
        """The changed photo of a photo's file. What is no photo raises what Pillow raises."""
        with Image.open(io.BytesIO(content)) as file:
            photo = self.change(ImageOps.exif_transpose(file).convert("RGB"))
        changed = io.BytesIO()
        photo.save(changed, "JPEG", quality=self.quality)
        return changed.getvalue()


def swap_letters(ad: Ad, draw: np.random.Generator) -> Ad:
    """Every second letter, by chance, that has a twin in the other alphabet becomes that twin, in title and
    description."""

    def swapped(text: str) -> str:
        chosen = draw.random(len(text)) < 0.5
        pairs = zip(text, chosen, strict=True)
        return "".join(_TWINS.get(letter, letter) if swap else letter for letter, swap in pairs)

    return ad | {name: swapped(ad[name] or "") for name in TEXTS if ad.get(name)}


def change_price(ad: Ad, draw: np.random.Generator) -> Ad:
    """A tenth more or less."""
    try:
        price = float(ad.get(PRICE) or "")
    except ValueError:
        return ad
    factor = 1 + RAISED * draw.choice([-1, 1])
    return ad | {PRICE: f"{price * factor:.2f}"}


def crop(photo: Image.Image) -> Image.Image:
    """A tenth off each side."""
    x, y = round(CROPPED * photo.width), round(CROPPED * photo.height)
    return photo.crop((x, y, photo.width - x, photo.height - y))


def stamp(photo: Image.Image) -> Image.Image:
    """White words with a dark edge across the middle."""
    size = max(8, round(STAMP_HEIGHT * photo.height))
    font = ImageFont.load_default(size)
    stamped = photo.copy()
    place, edge = (photo.width / 2, photo.height / 2), max(1, size // 16)
    ImageDraw.Draw(stamped).text(
        place, STAMP, "white", font, anchor="mm", stroke_width=edge, stroke_fill="black"
    )
    return stamped


_TWINS = {
    chr(letter): chr(twin) for table in (LOOKALIKES, TO_CYRILLIC) for letter, twin in table.items()
}

EVASIONS: dict[str, WordsChange | PhotoChange] = {
    "letters": WordsChange(
        "look-alike letters: half of those that have a twin in the other alphabet", swap_letters
    ),
    "crop": PhotoChange("photos cropped by a tenth on each side", crop),
    "mirror": PhotoChange("photos mirrored", ImageOps.mirror),
    "stamp": PhotoChange(f"photos stamped with words, a sixth of their height ({STAMP})", stamp),
    "recompression": PhotoChange(
        f"photos saved again at quality {LOW_QUALITY}", lambda photo: photo, LOW_QUALITY
    ),
    "price": WordsChange("price changed by a tenth, up or down", change_price),
}


def write_photo(content: bytes, path: Path) -> None:
    """Through a file beside it, so that a photo that is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.rename(path)
