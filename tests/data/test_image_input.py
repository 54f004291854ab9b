"""Images as callers have them: one row of four pixels, red, green, blue and grey."""

import numpy as np
import pytest
from PIL import Image

from retinaface_tf.data.image_input import as_rgb
from retinaface_tf.errors import InputError

RGB = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [64, 64, 64]]], np.uint8)
GREY = np.array([[0, 10, 200, 255]], np.uint8)


def test_rgb_is_taken_as_it_is():
    assert as_rgb(RGB).base is RGB or as_rgb(RGB) is RGB


@pytest.mark.parametrize("grey", [GREY, GREY[..., None]])
def test_grey_becomes_three_equal_channels(grey):
    assert as_rgb(grey).tolist() == [[[v] * 3 for v in GREY[0]]]


def test_transparency_is_dropped():
    rgba = np.concatenate([RGB, np.zeros((1, 4, 1), np.uint8)], axis=2)
    np.testing.assert_array_equal(as_rgb(rgba), RGB)


def test_a_path_is_read_and_a_broken_file_is_named(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.testing.assert_array_equal(as_rgb(str(tmp_path / "a.png")), RGB)
    np.testing.assert_array_equal(as_rgb(tmp_path / "a.png"), RGB)
    (tmp_path / "b.png").write_bytes(b"garbage")
    with pytest.raises(InputError, match=r"b\.png: "):
        as_rgb(tmp_path / "b.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_pictures_of_pillow_in_colour_keep_their_colours(mode):
    pixels = as_rgb(Image.fromarray(RGB).convert(mode, palette=Image.Palette.ADAPTIVE))
    assert np.abs(pixels.astype(int) - RGB).max() <= 3


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "F", "I"])
def test_pictures_of_pillow_in_grey_keep_their_brightness(mode):
    picture = Image.fromarray(GREY)
    if mode == "I;16":
        picture = Image.fromarray(GREY.astype(np.uint16) * 256)
    assert as_rgb(picture.convert(mode))[0, :, 0].tolist() == GREY[0].tolist()


def test_a_picture_of_pillow_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(RGB).resize((64, 16), Image.Resampling.NEAREST).save(
        tmp_path / "turned.jpg", exif=exif, quality=100
    )
    with Image.open(tmp_path / "turned.jpg") as picture:
        pixels = as_rgb(picture)
    assert pixels.shape == (64, 16, 3)
    np.testing.assert_array_equal(pixels, as_rgb(tmp_path / "turned.jpg"))


@pytest.mark.parametrize(
    "image",
    [
        RGB.astype(np.float32) / 255,
        RGB > 0,
        RGB.astype(np.uint16),
        RGB[None],
        RGB[..., :2],
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(3, np.uint8),
        Image.new("RGB", (0, 4)),
    ],
    ids=["float", "bool", "16 bit", "batch", "two channels", "empty", "flat", "empty picture"],
)
def test_other_images_are_refused_in_one_line(image):
    with pytest.raises(InputError) as error:
        as_rgb(image)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("image", [None, 3, [[1, 2]], b"bytes"])
def test_what_is_no_image_is_an_error_of_the_caller(image):
    with pytest.raises(TypeError):
        as_rgb(image)
