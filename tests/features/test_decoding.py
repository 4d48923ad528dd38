"""Every kind of photo comes out as the right pixels; the rest is unreadable, with a reason."""

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nrl_dedup.features.photos.decoding import decode, quiet_pillow
from nrl_dedup.features.photos.unreadable import UnreadablePhoto

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(pixels: np.ndarray, colour_type: int, bits: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand, from the specification: one filter byte a row, big-endian samples."""
    samples = pixels.astype(f">u{bits // 8}")
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def pixels_of(data: bytes) -> list[tuple[int, ...]]:
    image = decode(data)
    assert image.mode == "RGB"
    return [tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_colour_order(kind: str) -> None:
    image = Image.new("RGB", (3, 1))
    for x, colour in enumerate((RED, GREEN, BLUE)):
        image.putpixel((x, 0), colour)
    assert pixels_of(saved(image, kind)) == [RED, GREEN, BLUE]


def test_colour_order_of_jpeg_and_webp() -> None:
    image = Image.new("RGB", (32, 32), (200, 40, 10))
    for data in (saved(image, "JPEG", quality=95), saved(image, "WEBP", quality=95)):
        np.testing.assert_allclose(np.asarray(decode(data)), np.asarray(image), atol=6)


def test_greyscale() -> None:
    grey = np.array([[0, 1, 128, 255]], dtype=np.uint8)
    assert pixels_of(saved(Image.fromarray(grey), "PNG")) == [(v, v, v) for v in (0, 1, 128, 255)]


def test_one_bit() -> None:
    assert pixels_of(saved(Image.new("1", (1, 1), 1), "PNG")) == [WHITE]


def test_16_bit_greyscale_is_scaled_and_not_cut() -> None:
    """v / 257, because 65535 = 255 * 257."""
    values = np.array([[0, 257, 32896, 51400, 65535]], dtype=np.uint16)
    expected = [(v, v, v) for v in (0, 1, 128, 200, 255)]
    assert pixels_of(png(values, 0, 16)) == expected
    assert pixels_of(saved(Image.fromarray(values), "TIFF")) == expected
    big_endian = Image.frombytes("I;16B", (5, 1), values.astype(">u2").tobytes())
    assert pixels_of(saved(big_endian, "TIFF")) == expected
    assert pixels_of(saved(Image.fromarray(values.astype(np.int32)), "TIFF")) == expected


def test_16_bit_greyscale_with_a_transparent_value() -> None:
    values = np.array([[0, 514]], dtype=np.uint16)
    assert pixels_of(png(values, 0, 16, (b"tRNS", struct.pack(">H", 0)))) == [WHITE, (2, 2, 2)]


def test_16_bit_colour() -> None:
    values = np.array([[[65535, 0, 257 * 128]]], dtype=np.uint16)
    assert pixels_of(png(values, 2, 16)) == [(255, 0, 128)]


def test_16_bit_grey_with_alpha() -> None:
    values = np.array([[[0, 65535], [0, 0]]], dtype=np.uint16)
    assert pixels_of(png(values, 4, 16)) == [(0, 0, 0), WHITE]


def test_cmyk() -> None:
    """(1 - ink)(1 - black): no cyan, full magenta and yellow is red."""
    inks = Image.new("CMYK", (4, 1))
    for x, ink in enumerate([(0, 255, 255, 0), (0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 51)]):
        inks.putpixel((x, 0), ink)
    assert pixels_of(saved(inks, "TIFF")) == [RED, WHITE, (0, 0, 0), (0, 204, 204)]


def test_cmyk_jpeg_of_adobe_is_stored_inverted() -> None:
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    np.testing.assert_allclose(np.asarray(decode(data)).reshape(-1, 3), [RED] * 256, atol=3)


def test_palette() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    for x in range(3):
        image.putpixel((x, 0), x)
    assert pixels_of(saved(image, "PNG")) == [RED, GREEN, BLUE]
    assert pixels_of(saved(image, "GIF")) == [RED, GREEN, BLUE]
    assert pixels_of(saved(image, "PNG", transparency=1)) == [RED, WHITE, BLUE]
    assert pixels_of(saved(image, "GIF", transparency=1)) == [RED, WHITE, BLUE]
    half = pixels_of(saved(image, "PNG", transparency=bytes([255, 0, 51])))  # alpha 51 is a fifth
    assert half == [RED, WHITE, (204, 204, 255)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_laid_over_white(kind: str) -> None:
    """colour * a + 255 * (1 - a), a = alpha / 255."""
    pixels = np.array(
        [[[255, 0, 0, 255], [0, 0, 255, 51], [10, 20, 30, 0], [0, 255, 0, 204]]], dtype=np.uint8
    )
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    expected = [RED, (204, 204, 255), WHITE, (51, 255, 51)]
    assert pixels_of(saved(Image.fromarray(pixels), kind, **options)) == expected


def test_grey_with_alpha_and_colour_keys() -> None:
    grey = np.array([[[0, 255], [0, 51], [7, 0]]], dtype=np.uint8)
    assert pixels_of(png(grey, 4, 8)) == [(0, 0, 0), (204, 204, 204), WHITE]
    colours = np.array([[RED, GREEN]], dtype=np.uint8)
    assert pixels_of(png(colours, 2, 8, (b"tRNS", struct.pack(">HHH", *GREEN)))) == [RED, WHITE]
    assert pixels_of(png(np.array([[9, 8]]), 0, 8, (b"tRNS", struct.pack(">H", 8)))) == [
        (9, 9, 9),
        WHITE,
    ]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(first, kind, save_all=True, append_images=[second], **options)
    with Image.open(BytesIO(data)) as animation:
        assert animation.n_frames == 2
    assert set(pixels_of(data)) == {RED}


TURNED = {  # what a viewer must show, from the table of the EXIF standard
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a),
    9: lambda a: a,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation(orientation: int, kind: str) -> None:
    grey = np.kron(np.array([[10, 90, 170], [50, 130, 210]]), np.ones((8, 8))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    image = Image.fromarray(grey)
    data = saved(image.convert("RGB") if kind == "WEBP" else image, kind, exif=exif, **options)
    found = np.asarray(decode(data))[:, :, 0].astype(int)
    np.testing.assert_allclose(found, TURNED[orientation](grey), atol=2 if kind == "JPEG" else 0)


def test_damaged_exif_does_not_spoil_the_photo() -> None:
    data = saved(
        Image.new("RGB", (8, 8), RED), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage"
    )
    with quiet_pillow():
        assert set(pixels_of(data)) == {RED}


def test_a_large_jpeg_is_decoded_smaller_but_large_enough_for_every_view() -> None:
    ramp = np.linspace(0, 255, 2048).astype(np.uint8)[None].repeat(1536, 0)
    image = decode(saved(Image.fromarray(ramp), "JPEG", quality=95))
    assert image.size == (1024, 768)
    half = ramp.reshape(768, 2, 1024, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(np.asarray(image)[:, :, 0], half, atol=3)
    assert decode(saved(Image.new("RGB", (4000, 600)), "JPEG")).size == (4000, 600)
    assert decode(saved(Image.new("RGB", (1023, 4000)), "JPEG")).size == (1023, 4000)


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_truncated(kind: str, share: float) -> None:
    data = saved(Image.fromarray(NOISE), kind)
    with pytest.raises(UnreadablePhoto), quiet_pillow():
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "zero bytes"),
        (b"hello, this is no photo", "not a photo in a format that can be read"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
            "not a photo in a format that can be read",
        ),
        (saved(Image.fromarray(NOISE), "JPEG")[:2000], "truncated"),
        (saved(Image.new("F", (2, 2), 0.5), "TIFF"), "floating-point"),
    ],
)
def test_reasons(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePhoto, match=reason):
        decode(data)


def bomb(width: int, height: int) -> bytes:
    """The head of a PNG that promises more than it holds."""
    data = bytearray(png(np.zeros((1, 1)), 0, 8))
    struct.pack_into(">II", data, 16, width, height)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize(
    "side", [10_000, 20_000]
)  # Pillow warns of the first and refuses the second
@pytest.mark.parametrize("action", ["error", "ignore", "default"])
@pytest.mark.filterwarnings("ignore:unclosed")
def test_decompression_bombs(side: int, action: str) -> None:
    with warnings.catch_warnings(record=True):
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before = list(warnings.filters)
        with pytest.raises(UnreadablePhoto, match="more than 89,478,485 pixels"):
            decode(bomb(side, side))
        assert list(warnings.filters) == before


def test_quiet_pillow_says_nothing_and_leaves_nothing_behind() -> None:
    before = list(warnings.filters)
    with quiet_pillow(), pytest.raises(UnreadablePhoto, match="more than"):
        decode(bomb(10_000, 10_000))
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="mine"), quiet_pillow():
        warnings.warn("mine", UserWarning, stacklevel=1)
