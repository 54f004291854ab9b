"""The host's decoder: the graph's pixels byte for byte, or by how much they differ."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from data.image_files import (
    HEIGHT,
    WIDTH,
    claiming,
    encode,
    exif,
    jpeg,
    photo,
    segment,
    tiff,
    two_frames,
    with_chunks,
    with_extensions,
    with_scans,
    without_adobe,
)
from PIL import Image

from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.decode_host import decode_bytes, read_image
from retinaface_tf.errors import InputError


def by_graph(data: bytes) -> np.ndarray:
    return decode_image(tf.constant(data)).numpy()


def by_host(data: bytes) -> np.ndarray:
    return decode_bytes(data, "a file")


def deep(*channels: int) -> np.ndarray:
    """Returns noise of 16 bits."""
    return np.random.default_rng(0).integers(0, 1 << 16, (HEIGHT, WIDTH, *channels), np.uint16)


def rgba() -> Image.Image:
    alpha = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH, 1)
    return Image.fromarray(np.concatenate([photo(), alpha], axis=2))


def with_exif(kind: str, **options) -> bytes:
    sideways = Image.Exif()
    sideways[0x0112] = 6
    return encode(Image.fromarray(photo()), kind, exif=sideways, **options)


def colours(mode: str) -> Image.Image:
    return Image.fromarray(photo()).convert(mode)


def photo_of_a_camera() -> bytes:
    """Returns fifty times the pixels of the others, compressed as cameras do."""
    few = np.random.default_rng(5).integers(0, 256, (50, 60, 3), np.uint8)
    pixels = cv2.resize(few, (317, 251), interpolation=cv2.INTER_CUBIC)
    return encode(Image.fromarray(pixels), "JPEG", quality=75, subsampling="4:2:0")


EQUAL = {
    **{f"EXIF {turn}, {order}": jpeg(exif(turn, order)) for turn in range(1, 9) for order in "<>"},
    "EXIF 9": jpeg(exif(9)),
    "EXIF cut off": jpeg(segment(0xE1, b"Exif\0\0" + tiff(6, ">")[:9])),
    "EXIF behind other segments": jpeg(segment(0xFE, b"Exif\0\0" * 9), exif(6, before=7)),
    "4:4:4": jpeg(subsampling="4:4:4"),
    "4:2:2": jpeg(subsampling="4:2:2"),
    "4:2:0": photo_of_a_camera(),
    "progressive": jpeg(progressive=True),
    "RGB in a JPEG": encode(Image.fromarray(photo()), "JPEG", keep_rgb=True),
    "grey JPEG": jpeg(mode="L"),
    "bytes behind the end": jpeg() + b"\0camera's own" * 9,
    **{f"{mode} PNG": encode(colours(mode), "PNG") for mode in ("RGB", "L", "LA", "P", "1")},
    "RGBA PNG": encode(rgba(), "PNG"),
    "transparent colour": encode(colours("P"), "PNG", transparency=3),
    "grey PNG of 16 bits": encode(Image.fromarray(deep()), "PNG"),
    "RGB PNG of 16 bits": cv2.imencode(".png", deep(3))[1].tobytes(),
    "RGBA PNG of 16 bits": cv2.imencode(".png", deep(4))[1].tobytes(),
    "PNG with EXIF": with_exif("PNG"),
    "RGB BMP": encode(colours("RGB"), "BMP"),
    "grey BMP": encode(colours("L"), "BMP"),
    "RGBA BMP": encode(rgba(), "BMP"),
    "WebP": encode(colours("RGB"), "WEBP", quality=90),
    "lossless WebP": encode(colours("RGB"), "WEBP", lossless=True),
    "WebP with EXIF": with_exif("WEBP", lossless=True),
    "GIF": encode(colours("P"), "GIF"),
    "transparent GIF": encode(colours("P"), "GIF", transparency=5),
    "GIF of two frames": two_frames("GIF"),
}


@pytest.mark.parametrize("data", EQUAL.values(), ids=EQUAL)
def test_the_host_decodes_the_graphs_bytes(data):
    np.testing.assert_array_equal(by_host(data), by_graph(data))


@pytest.mark.parametrize("turn", [1, 3, 6])
def test_a_cmyk_jpeg_is_at_most_two_levels_brighter(turn):
    data = jpeg(exif(turn), mode="CMYK")
    difference = by_graph(data).astype(int) - by_host(data)
    assert -2 <= difference.min() <= difference.max() <= 0


def test_a_cmyk_jpeg_without_adobes_segment_has_the_colours_that_pillow_sees():
    data = without_adobe(jpeg(mode="CMYK"))
    np.testing.assert_allclose(by_host(data), by_host(jpeg(mode="CMYK")))


def test_a_bmp_has_the_colours_of_its_palette():
    image = colours("P")
    np.testing.assert_array_equal(by_host(encode(image, "BMP")), np.asarray(image.convert("RGB")))


WEBP_BOMB = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xfe\x3f\0" * 2
LOSSLESS_BOMB = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xfe\xbf\xff\x0f" + bytes(9)

BROKEN = {
    "nothing": b"",
    "text": b"not an image",
    "markers alone": b"\xff\xd8\xff garbage \xff\xd9",
    "a JPEG cut short": jpeg()[:-200],
    "a JPEG without its end": jpeg()[:-2],
    "a PNG cut short": EQUAL["RGB PNG"][:-200],
    "a JPEG that claims more than it holds": claiming(jpeg(exif(3)), 200),
    "a JPEG of 1,000 scans": with_scans(1000),
    "a PNG of 900 compressed texts": with_chunks(b"zTXt", 900),
    "a GIF of 66,000 extensions": with_extensions(66_000),
    "a WebP that claims 16,383 x 16,383": WEBP_BOMB,
    "a lossless WebP that does": LOSSLESS_BOMB,
    "more pixels than OpenCV allows": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\x7f" * 8,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_whole_image_is_named(tmp_path, data):
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_image(file)
    assert str(error.value).startswith(f"{file}: ")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError) as error:
        read_image(tmp_path / "none.jpg")
    assert str(error.value).startswith(f"{tmp_path}/none.jpg: ")


@pytest.mark.parametrize("data", [WEBP_BOMB, LOSSLESS_BOMB], ids=["extended", "lossless"])
def test_the_claim_and_the_limits_are_named(data):
    with pytest.raises(InputError) as error:
        by_host(data)
    for number in ("16383 x 16383", "16384", "67108864"):
        assert number in str(error.value)


def test_of_an_animated_webp_the_first_frame_is_read():
    first = by_host(two_frames("WEBP"))
    assert np.abs(first - photo().astype(float)).mean() < 10


def test_a_grey_border_is_no_missing_part():
    pixels = np.full((90, 90, 3), 128, np.uint8)
    np.testing.assert_array_equal(by_host(encode(Image.fromarray(pixels), "JPEG")), pixels)
