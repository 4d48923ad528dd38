"""Image descriptors, against SciPy's cosine transform, plain counting, and photos changed as sellers change them."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from scipy.fft import dctn

from nrl_dedup.comparison.photo_comparisons import HashSimilarity
from nrl_dedup.features.photos.descriptor_store import compute_descriptors
from nrl_dedup.features.photos.descriptors import DESCRIPTOR, describe_image, perceptual_hashes
from nrl_dedup.features.photos.photo_folder import PhotoFolder


def scene(seed: int) -> Image.Image:
    """Smooth patches of colour, as a photo has."""
    noise = np.random.default_rng(seed).integers(0, 256, size=(9, 12, 3), dtype=np.uint8)
    return (
        Image.fromarray(noise)
        .resize((320, 240), Image.Resampling.BICUBIC)
        .filter(ImageFilter.GaussianBlur(2))
    )


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cropped(image: Image.Image, kept: float) -> Image.Image:
    left, top = ((1 - kept) / 2 * side for side in image.size)
    return image.crop(
        (round(left), round(top), round(image.width - left), round(image.height - top))
    )


def alike(one: Image.Image, other: Image.Image) -> float:
    hashes = np.stack([perceptual_hashes(image) for image in (one, other)])
    return float(HashSimilarity(hashes)(np.array([0]), np.array([1]))[0])


def test_a_hash_is_the_signs_of_the_lowest_cosine_coefficients_about_their_median() -> None:
    image = scene(0)
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), np.float64)
    low = dctn(small, type=2)[:8, :8]  # scaled by a positive number, which moves no bit
    bits = np.unpackbits(
        np.frombuffer(perceptual_hashes(image)[:1].astype("<u8").tobytes(), np.uint8)
    )
    np.testing.assert_array_equal(bits.reshape(8, 8), low > np.median(low))


def test_mirroring_changes_places_of_the_hashes() -> None:
    image = scene(1)
    there, back = perceptual_hashes(image), perceptual_hashes(ImageOps.mirror(image))
    different = [int(a ^ b).bit_count() for a, b in zip(there, back[[1, 0, 3, 2]], strict=True)]
    assert max(different) <= 2  # rounding to grey levels


@pytest.mark.parametrize("seed", range(5))
def test_a_changed_photo_is_nearer_than_any_other(seed: int) -> None:
    image = scene(seed)
    changed = {
        "recompressed": recompressed(image, 30),
        "small": image.resize((120, 90)),
        "mirrored": ImageOps.mirror(image),
        "cropped": cropped(image, 0.8),
        "cropped and mirrored": ImageOps.mirror(cropped(image, 0.8)),
        "darker": image.point(lambda value: int(value * 0.6)),
    }
    others = max(alike(image, scene(other)) for other in range(100, 130))
    assert {
        name: alike(image, other)
        for name, other in changed.items()
        if alike(image, other) <= others
    } == {}
    assert alike(image, image) == 1


def test_layout_and_colours_are_counted() -> None:
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 64:] = [255, 0, 0]
    made = describe_image(Image.fromarray(pixels))
    assert made.dtype == DESCRIPTOR and (int(made["width"]), int(made["height"])) == (128, 64)
    np.testing.assert_array_equal(made["layout"][:, :4], 0)
    np.testing.assert_array_equal(made["layout"][:, 4:], np.broadcast_to([255, 0, 0], (8, 4, 3)))
    colours = made["colours"].reshape(8, 4, 4)  # hue, saturation, value
    assert colours[0, 0, 0] == colours[0, 3, 3] == round(np.sqrt(0.5) * 255)
    assert np.count_nonzero(colours) == 2


def test_descriptors_are_kept_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("b", "a"):
        scene(ord(name)).save(photos / f"{name}.png")
    (photos / "broken.png").write_bytes(b"no photo")
    refs = ["b", "a", "broken", "absent"]
    first = compute_descriptors(refs, PhotoFolder(photos), tmp_path / "work")
    monkeypatch.setattr(
        "nrl_dedup.features.photos.descriptor_store.describe_image", None
    )  # a second run makes none
    again = compute_descriptors(refs, PhotoFolder(photos), tmp_path / "work")
    for found in (first, again):
        rows = found.rows_of(refs)
        assert (rows[2:] == -1).all()
        for name, row in zip(refs[:2], rows[:2], strict=True):
            assert found.stored[row] == describe_image(scene(ord(name)))


def test_a_side_that_is_longer_than_a_descriptor_can_hold(tmp_path: Path) -> None:
    made = describe_image(Image.new("RGB", (3, 70_000), (200, 210, 220)))
    assert (int(made["width"]), int(made["height"])) == (3, 65_535)
