"""Decoding: what PIL and OpenCV decode, upright; every kind of file, and headers of garbage."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from data.image_files import (
    HEIGHT,
    ORIENTATION,
    START_OF_IMAGE,
    WIDTH,
    claiming,
    encode,
    exif,
    jpeg,
    photo,
    segment,
    tiff,
    two_frames,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from retinaface_tf.data import exif as exif_module
from retinaface_tf.data.decode import (
    decode_fully,
    decode_image,
    decode_window,
    open_image,
    why_undecodable,
)

LARGE = 1000  # a side for which no image here has too many pixels

# As it runs in a pipeline; eagerly, a loop over thousands of segments takes minutes.
exif_orientation = tf.function(
    exif_module.exif_orientation, input_signature=[tf.TensorSpec([], tf.string)]
)


def decoded(data: bytes) -> np.ndarray:
    return decode_image(tf.constant(data)).numpy()


def by_pil(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def by_opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_as_pil_and_opencv_do(orientation, order):
    data = jpeg(exif(orientation, order))
    image = decoded(data)
    assert image.shape == ((WIDTH, HEIGHT, 3) if orientation >= 5 else (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(image, by_pil(data))
    np.testing.assert_array_equal(image, by_opencv(data))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_header_tells_the_size_of_the_upright_image(orientation):
    data = jpeg(exif(orientation))
    assert tuple(open_image(tf.constant(data)).size) == decoded(data).shape[:2]


@pytest.mark.parametrize("window", [(0, 0, 8, 8), (5, 9, 20, 13), (3, 0, 7, 30), (0, 0, 1, 1)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_window_of_a_jpeg_is_that_part_of_the_upright_image(orientation, window):
    data = jpeg(exif(orientation))
    x, y, width, height = window
    whole = decoded(data)[y : y + height, x : x + width].astype(int)
    part, shown = decode_window(open_image(tf.constant(data)), tf.constant(window), LARGE)
    part = part.numpy()
    assert tuple(shown.numpy()) == window
    assert part.shape == whole.shape
    # Colours are blended over the border of a window with what was not decoded.
    np.testing.assert_array_equal(part[1:-1, 1:-1], whole[1:-1, 1:-1])
    assert np.abs(part - whole).max(initial=0) <= 60


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_window_with_many_pixels_too_many_is_reduced_to_the_means_of_them(orientation, ratio):
    data, window = jpeg(exif(orientation), subsampling=0), np.int32([1, 3, 27, 25])
    side = 27 // ratio  # for a ratio twice as large, 27 are too few
    part, shown = decode_window(open_image(tf.constant(data)), tf.constant(window), side)
    x, y, width, height = shown.numpy()
    assert part.shape == (height // ratio, width // ratio, 3)
    assert width == 27 // ratio * ratio
    assert height == 25 // ratio * ratio
    assert (np.abs([x, y] - window[:2]) <= 2 * (ratio - 1)).all()
    blocks = decoded(data)[y : y + height, x : x + width].astype(float)
    means = blocks.reshape(height // ratio, ratio, width // ratio, ratio, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(part, means, atol=4)


@pytest.mark.parametrize(("side", "shape"), [(14, (25, 27, 3)), (13, (12, 13, 3))])
def test_no_side_is_reduced_below_what_suffices(side, shape):
    window = tf.constant([1, 3, 27, 25])
    assert decode_window(open_image(tf.constant(jpeg())), window, side)[0].shape == shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(300, 1), (1, 300), (300, 7), (7, 300), (1, 1)])
def test_no_side_of_a_thin_image_is_reduced_to_nothing(shape, orientation):
    pixels = np.full((*shape, 3), 90, np.uint8)
    whole = encode(Image.fromarray(pixels), "JPEG")
    data = whole[:2] + exif(orientation) + whole[2:]
    image = open_image(tf.constant(data))
    height, width = image.size.numpy()
    part, shown = decode_window(image, tf.constant([0, 0, width, height]), 30)
    assert min(part.shape) >= 1
    assert max(part.shape[:2]) == max(1, max(shape) // 8)
    np.testing.assert_allclose(part, 90, atol=2)
    assert (shown.numpy()[2:] >= 1).all()
    assert decode_fully(data).shape == (height, width, 3)


def test_the_whole_image_is_a_window_too():
    data = jpeg(exif(6))
    image = open_image(tf.constant(data))
    height, width = image.size.numpy()
    whole, _ = decode_window(image, tf.constant([0, 0, width, height]), LARGE)
    np.testing.assert_array_equal(whole, decoded(data))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_window_has_the_colours_of_the_image_whatever_its_kind(mode):
    data = jpeg(mode=mode)
    part, _ = decode_window(open_image(tf.constant(data)), tf.constant([4, 4, 16, 16]), LARGE)
    np.testing.assert_array_equal(part[1:-1, 1:-1], decoded(data)[5:19, 5:19])


def test_a_window_of_a_png_is_that_part():
    data = encode(Image.fromarray(photo()), "PNG")
    part, _ = decode_window(open_image(tf.constant(data)), tf.constant([4, 6, 10, 5]), 1)
    np.testing.assert_array_equal(part, decoded(data)[6:11, 4:14])


def test_the_orientation_may_stand_behind_other_segments_and_other_entries():
    comment, xmp = segment(0xFE, b"Exif\0\0" * 9), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0")
    data = jpeg(comment, xmp, segment(0xE0, bytes(65_000)), exif(6, before=7))
    np.testing.assert_array_equal(decoded(data), by_pil(data))
    np.testing.assert_array_equal(decoded(data), np.rot90(decoded(jpeg()), -1))


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([], id="no EXIF"),
        pytest.param([exif(0)], id="orientation 0"),
        pytest.param([exif(9)], id="orientation 9"),
        pytest.param([exif(6, tag=ORIENTATION + 1)], id="another tag"),
        pytest.param([segment(0xE1, b"Exif\0\0")], id="EXIF without anything"),
        pytest.param([segment(0xE1, b"Exif\0\0" + tiff(6, ">")[:9])], id="directory cut off"),
        pytest.param([segment(0xE1, b"Exif\0\0II*\0\xff\xff\0\0")], id="offset out of the file"),
        pytest.param([segment(0xE1, b"Exif\0\0" + b"\xa5\x12\x00" * 20)], id="EXIF of garbage"),
        pytest.param([segment(0xE2, b"Exif\0\0" + tiff(6, ">"))], id="not EXIF's segment"),
    ],
)
def test_without_a_valid_orientation_an_image_stays_as_it_is_stored(segments):
    np.testing.assert_array_equal(decoded(jpeg(*segments)), by_opencv(jpeg()))


def test_bytes_that_fill_the_room_before_a_segment_are_skipped():
    data = jpeg(b"\xff" * 3, exif(6))
    np.testing.assert_array_equal(decoded(data), by_opencv(data))


def test_an_exif_segment_within_the_pixels_is_none():
    assert exif_orientation(START_OF_IMAGE + segment(0xDA, b"\1" * 8) + exif(6)) == 1


@given(st.binary(max_size=200), st.sampled_from([b"", segment(0xE0, b"JFIF\0"), exif(3)[:18]]))
def test_garbage_after_a_jpegs_first_bytes_never_raises(garbage, before):
    assert exif_orientation(START_OF_IMAGE + before + garbage) in range(1, 9)


@given(st.data())
def test_a_broken_exif_segment_never_raises(data):
    whole = bytearray(jpeg(exif(6, data.draw(st.sampled_from("<>")), before=2))[:100])
    for place in data.draw(st.sets(st.integers(2, 60), min_size=1, max_size=9)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 100))
    assert exif_orientation(bytes(whole[:cut])) in range(1, 9)


def test_thousands_of_empty_segments_are_walked_through_in_a_few_seconds():
    assert exif_orientation(START_OF_IMAGE + segment(0xE0, b"") * (1 << 16)) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0"},
        {"progressive": True},
        {"mode": "L"},
    ],
    ids=str,
)
def test_the_pixels_of_a_jpeg_are_opencvs(options):
    data = jpeg(**options)
    np.testing.assert_array_equal(decoded(data), by_opencv(data))
    np.testing.assert_array_equal(decoded(data), by_pil(data))


def test_a_cmyk_jpeg_has_the_colours_it_shows():
    data = jpeg(mode="CMYK")
    np.testing.assert_array_equal(decoded(data), by_pil(data))
    assert np.abs(decoded(data) - photo().astype(float)).mean() < 1


def test_grey_files_have_three_equal_channels():
    grey = Image.fromarray(photo()).convert("L")
    for kind in ("JPEG", "PNG", "BMP"):
        image = decoded(encode(grey, kind))
        assert image.shape == (HEIGHT, WIDTH, 3), kind
        assert (image == image[..., :1]).all(), kind


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", "RGB"), ("PNG", "LA"), ("PNG", "P"), ("PNG", "1")),
        *(("BMP", "RGB"), ("BMP", "L"), ("GIF", "P"), ("WEBP", "RGB")),
    ],
)
def test_files_without_loss_decode_to_the_pixels_that_were_written(kind, mode):
    written = Image.fromarray(photo()).convert(mode)
    image = decoded(encode(written, kind, **{"lossless": True} if kind == "WEBP" else {}))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.asarray(written.convert("RGB")))


def test_a_webp_has_the_colours_that_pil_sees():
    data = encode(Image.fromarray(photo()), "WEBP", quality=90)
    np.testing.assert_array_equal(decoded(data), by_pil(data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("trailer", [b"\0\0", b"x" * 5000])
def test_bytes_behind_the_last_row_of_a_bmp_do_not_count(mode, trailer):
    data = encode(Image.fromarray(photo()).convert(mode), "BMP")
    np.testing.assert_array_equal(decoded(data + trailer), decoded(data))
    with pytest.raises(tf.errors.OpError):
        decoded(data[:-5])


def test_of_16_bits_the_upper_8_are_kept():
    deep = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 50
    image = decoded(encode(Image.fromarray(deep), "PNG"))
    np.testing.assert_array_equal(image, (deep >> 8)[..., None].repeat(3, axis=-1))


def test_the_alpha_of_a_png_is_dropped():
    alpha = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH, 1)
    data = encode(Image.fromarray(np.concatenate([photo(), alpha], axis=2)), "PNG")
    np.testing.assert_array_equal(decoded(data), photo())


def test_a_gif_is_its_first_frame():
    frames = [Image.fromarray(image).convert("P") for image in (photo(), 255 - photo())]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decoded(data), np.asarray(frames[0].convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_an_image_of_one_pixel_is_an_image(kind):
    assert decoded(encode(Image.new("RGB", (1, 1), (9, 9, 9)), kind)).tolist() == [[[9, 9, 9]]]


def test_a_map_of_tf_data_decodes_files_of_mixed_kinds_and_sizes():
    files = [
        jpeg(),
        jpeg(exif(6)),
        jpeg(mode="L"),
        encode(Image.fromarray(photo()[:7]), "PNG"),
        encode(Image.fromarray(photo()[:, :9]).convert("P"), "GIF"),
    ]
    dataset = tf.data.Dataset.from_tensor_slices(files).map(decode_image, num_parallel_calls=2)
    assert dataset.element_spec == tf.TensorSpec([None, None, 3], tf.uint8)
    for image, file in zip(dataset.as_numpy_iterator(), files, strict=True):
        np.testing.assert_array_equal(image, by_pil(file))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not an image", id="text"),
        pytest.param(jpeg()[:-200], id="a JPEG cut short"),
        pytest.param(encode(Image.fromarray(photo()), "PNG")[:-200], id="a PNG cut short"),
    ],
)
def test_what_is_no_image_is_an_error_of_tensorflow(data):
    with pytest.raises(tf.errors.OpError):
        decoded(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Input is empty."),
        (b"\xff\xd8garbage\xff\xd9", "Unknown image file format. "),
        (cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()[:-40], "Invalid JPEG"),
        (cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes(), None),
    ],
    ids=["empty", "garbage", "cut short", "an image"],
)
def test_why_a_file_cannot_be_decoded_is_told_in_a_line_without_the_graphs_nodes(
    tmp_path, content, reason
):
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    told = why_undecodable(str(file))
    if reason is None:
        assert told is None
    else:
        assert reason in told
        assert not set("{[\n") & set(told)


CLAIMS = {
    "a photo": {},
    "progressive": {"progressive": True},
    "4:4:4": {"subsampling": "4:4:4"},
    "grey": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
    "restart markers": {"restart_marker_blocks": 1},
    "restart markers by row": {"restart_marker_rows": 1},
}


@pytest.mark.parametrize("height", [HEIGHT + 20, 200, 3000])
@pytest.mark.parametrize("options", CLAIMS.values(), ids=CLAIMS)
def test_a_jpeg_that_claims_more_than_it_holds_is_broken(options, height):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(claiming(jpeg(**options), height))
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(claiming(jpeg(exif(6), **options), height))


@pytest.mark.parametrize("grey", [64, 128])
@pytest.mark.parametrize("options", CLAIMS.values(), ids=CLAIMS)
def test_a_jpeg_that_ends_in_the_grey_of_missing_pixels_is_whole(options, grey):
    options = dict(options)
    pixels = np.concatenate([photo(), np.full((50, WIDTH, 3), grey, np.uint8)])
    image = Image.fromarray(pixels).convert(options.pop("mode", "RGB"))
    assert decoded(encode(image, "JPEG", **options)).shape == (HEIGHT + 50, WIDTH, 3)


def test_an_animated_webp_is_named_as_such(tmp_path):
    (tmp_path / "a.webp").write_bytes(two_frames("WEBP"))
    assert "animated WebP" in why_undecodable(str(tmp_path / "a.webp"))
