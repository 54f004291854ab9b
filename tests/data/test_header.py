"""Headers: the size that PIL reads, without decoding; never more of a GIF than its first frame."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from data.image_files import SCAN, jpeg, segment, with_chunks, with_extensions, with_scans
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retinaface_tf.data import header
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.header import Header
from retinaface_tf.data.outline import MAX_BLOCKS, MAX_COMPRESSED_TEXTS, MAX_SCANS, Kind, outline

HEIGHT, WIDTH = 30, 43


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def read(data) -> tuple[tf.Tensor, Header]:
    kind = header.image_kind(data)
    return kind, header.read_header(data, kind)


def stored_size(data: bytes) -> list[int]:
    return read(data)[1].size.numpy().tolist()


def first_frame(data: bytes) -> bytes:
    return read(data)[1].first_frame.numpy()


def encode(kind: str, mode: str = "RGB", **options) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


def animation(count: int, **options) -> bytes:
    pixels = np.random.default_rng(2).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)
    frames = [Image.fromarray(frame).convert("P") for frame in pixels]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


def top_down(data: bytes) -> bytes:
    """Returns a BMP stored from its top, which its negative height tells."""
    return data[:22] + struct.pack("<i", -struct.unpack("<i", data[22:26])[0]) + data[26:]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encode("JPEG"), Kind.JPEG),
        (encode("JPEG", "L", progressive=True), Kind.JPEG),
        (encode("PNG"), Kind.PNG),
        (encode("PNG", "P"), Kind.PNG),
        (encode("GIF", "P"), Kind.GIF),
        (animation(3), Kind.GIF),
        (encode("BMP"), Kind.BMP),
        (top_down(encode("BMP")), Kind.BMP),
        (encode("WEBP"), Kind.WEBP),
        (encode("WEBP", lossless=True), Kind.WEBP),
        (encode("WEBP", exif=b"Exif\0\0"), Kind.WEBP),
        (encode("WEBP", "RGBA", lossless=True), Kind.WEBP),
    ],
)
def test_kind_and_size_are_read_from_the_header(data, kind):
    assert read(data)[0] == int(kind)
    assert stored_size(data) == [HEIGHT, WIDTH]


def test_a_size_that_does_not_fit_32_bits_is_no_small_one():
    data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff" * 8
    assert stored_size(data) == [2**32 - 1] * 2


def test_a_frame_of_a_gif_may_be_larger_than_the_whole():
    data = bytearray(animation(1))
    frame = data.index(b"\x2c")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 50_000, 40_000)
    assert stored_size(bytes(data)) == [40_000, 50_000]


@given(st.binary(max_size=200), st.sampled_from([b"", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n"]))
def test_garbage_has_some_kind_and_never_raises(garbage, start):
    assert read(start + garbage)[0] in range(6)


@pytest.mark.parametrize("options", [{}, {"comment": b"c" * 700}, {"duration": 50, "loop": 0}])
def test_a_gif_is_cut_behind_its_first_frame(options):
    whole, first = animation(4, **options), animation(1, **options)
    cut = first_frame(whole)
    assert len(cut) < len(whole) / 2
    assert len(cut) <= len(first) + 40, "a few blocks of an animation may be more"
    np.testing.assert_array_equal(decode_image(cut), decode_image(whole))
    np.testing.assert_array_equal(decode_image(cut), decode_image(first))


def test_files_of_other_kinds_are_not_cut():
    for data in (encode("PNG"), encode("JPEG"), b"", b"text"):
        assert first_frame(data) == data


@pytest.mark.parametrize("cut", [6, 13, 100, 800])
def test_a_gif_that_is_cut_short_already_stays_so(cut):
    data = animation(1)[:cut]
    assert first_frame(data).startswith(data)


@pytest.mark.parametrize(
    "data",
    [
        *(with_scans(count) for count in (1, MAX_SCANS, MAX_SCANS + 1, 10_000)),
        jpeg(segment(0xE1, jpeg()[:-2] + SCAN * 300)),
        jpeg(segment(0xE1, SCAN * 300), segment(0xFE, b"")) + SCAN * 300,
        jpeg(progressive=True),
        *(
            with_chunks(b"zTXt", count)
            for count in (MAX_COMPRESSED_TEXTS, MAX_COMPRESSED_TEXTS + 1)
        ),
        with_chunks(b"iTXt", 900),
        with_chunks(b"tEXt", 900),
        *(with_extensions(count) for count in (MAX_BLOCKS // 3, MAX_BLOCKS, 66_000)),
        *(with_extensions(count, b"a") for count in (MAX_BLOCKS // 4, MAX_BLOCKS // 2)),
        animation(3),
        encode("BMP"),
    ],
)
def test_a_file_that_asks_for_absurd_work_is_told_as_outlines_tell_it(data):
    assert bool(read(data)[1].is_excessive) == (outline(data).excess is not None)


def test_a_long_frame_is_passed_over_at_once():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "GIF")
    size, first, is_excessive = read(file.getvalue())[1]
    assert size.numpy().tolist() == [1500, 1500]
    assert len(first.numpy()) >= len(file.getvalue())
    assert not is_excessive
