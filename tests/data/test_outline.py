"""Outlines of image files: sizes as PIL reads them, wholeness by the walk to the real end."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from data.image_files import (
    END,
    HEIGHT,
    SCAN,
    WIDTH,
    encode,
    exif,
    gif,
    jpeg,
    photo,
    png,
    segment,
    two_frames,
    with_chunks,
    with_extensions,
    with_scans,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retinaface_tf.data.outline import (
    MAX_BLOCKS,
    MAX_COMPRESSED_TEXTS,
    MAX_SCANS,
    Kind,
    is_animated_webp,
    outline,
)


def webp(**options) -> bytes:
    return encode(Image.fromarray(photo()), "WEBP", **options)


WHOLE = {
    "JPEG": (jpeg(), Kind.JPEG),
    "progressive JPEG": (jpeg(progressive=True), Kind.JPEG),
    "JPEG with restart markers": (jpeg(restart_marker_blocks=1), Kind.JPEG),
    "JPEG with bytes that fill the room before a marker": (jpeg(b"\xff" * 3), Kind.JPEG),
    "PNG": (png(), Kind.PNG),
    "GIF": (gif(), Kind.GIF),
    "GIF of two frames": (two_frames("GIF"), Kind.GIF),
    "BMP": (encode(Image.fromarray(photo()), "BMP"), Kind.BMP),
    "WebP": (webp(), Kind.WEBP),
    "lossless WebP": (webp(lossless=True), Kind.WEBP),
    "extended WebP": (webp(exif=b"Exif\0\0"), Kind.WEBP),
}


@pytest.mark.parametrize(("data", "kind"), WHOLE.values(), ids=WHOLE)
def test_kind_and_size_are_known_and_the_file_is_whole(data, kind):
    outlined = outline(data)
    assert (outlined.kind, outlined.height, outlined.width) == (kind, HEIGHT, WIDTH)
    assert outlined.is_whole
    assert outlined.excess is None


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "PNG", "GIF", "WebP"])
def test_what_stands_behind_the_end_does_not_count(kind):
    data, _ = WHOLE[kind]
    for trailer in (b"\0" * 5000, b"\0\0\0\x18ftypmp42" + b"film" * 9999, data, jpeg()[:-300]):
        assert outline(data + trailer).is_whole


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_is_whole_with_its_last_byte_and_not_before(kind):
    data, _ = WHOLE[kind]
    assert [outline(data[:end]).is_whole for end in range(12, len(data) + 1)].index(True) == (
        len(data) - 12
    )


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xFE])
def test_the_end_of_a_thumbnail_is_no_proof(marker):
    whole = jpeg(segment(marker, b"MPF\0" + jpeg() + b"more"))
    assert outline(whole).is_whole
    for cut in (2, 100, 700):
        assert not outline(whole[:-cut]).is_whole
    assert not outline(whole[: whole.index(b"more")]).is_whole


def test_an_end_within_a_chunk_of_text_is_no_proof():
    text = b"tEXt" + b"k\0IEND\xaeB`\x82"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    whole = png()[:33] + chunk + png()[33:]
    assert outline(whole).is_whole
    assert not outline(whole[:-12]).is_whole


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8\xff garbage \xff\xd9", id="markers alone"),
        pytest.param(jpeg(exif(6))[:90], id="a JPEG's header alone"),
        pytest.param(jpeg()[:2] + END + jpeg()[2:], id="an end before the image"),
        pytest.param(gif()[:700], id="a GIF's header alone"),
        pytest.param(png()[:33], id="a PNG's header alone"),
    ],
)
def test_a_header_without_an_image_is_not_whole(data):
    assert not outline(data).is_whole


@pytest.mark.parametrize(
    ("most", "more"),
    [
        (with_scans(MAX_SCANS), with_scans(MAX_SCANS + 1)),
        *(
            (with_chunks(name, MAX_COMPRESSED_TEXTS), with_chunks(name, MAX_COMPRESSED_TEXTS + 1))
            for name in (b"zTXt", b"iTXt", b"iCCP")
        ),
        (with_chunks(b"tEXt", 900), with_chunks(b"zTXt", 900)),
        (with_extensions(MAX_BLOCKS // 3), with_extensions(MAX_BLOCKS)),
        (with_extensions(MAX_BLOCKS // 4, b"a"), with_extensions(MAX_BLOCKS // 2, b"a")),
    ],
    ids=["scans", "zTXt", "iTXt", "iCCP", "tEXt", "empty extensions", "extensions"],
)
def test_a_file_that_asks_for_absurd_work_is_told_from_one_that_asks_for_much(most, more):
    assert outline(most).excess is None
    assert outline(more).excess


def test_scans_within_a_thumbnail_and_behind_the_end_do_not_count():
    thumbnail = jpeg()[:-2] + SCAN * 300 + END
    assert outline(jpeg(segment(0xE1, thumbnail)) + SCAN * 300).excess is None


def test_a_long_frame_in_equal_sub_blocks_is_one_block():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
    data = encode(Image.fromarray(noise), "GIF")
    assert len(data) > 255 * MAX_BLOCKS * 2
    assert outline(data).is_whole
    assert outline(data).excess is None


def test_an_animated_webp_is_told_from_one_that_stands_still():
    assert is_animated_webp(two_frames("WEBP"))
    for data in (webp(), webp(exif=b"Exif\0\0"), b"", b"RIFF\0\0\0\0WEBPVP8X"):
        assert not is_animated_webp(data)


def test_a_claim_of_a_webp_is_read():
    size = (16_383 - 1).to_bytes(3, "little")
    data = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + size + size
    assert (outline(data).height, outline(data).width) == (16_383, 16_383)


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBP"]
    ),
)
def test_garbage_has_an_outline_and_never_raises(garbage, start):
    assert outline(start + garbage).kind in Kind
    assert is_animated_webp(start + garbage) in (True, False)


def test_a_file_of_100_kb_takes_less_than_a_millisecond():
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=95)
    data = file.getvalue()
    assert len(data) > 100_000
    assert min(_seconds(data) for _ in range(20)) < 1e-3


def _seconds(data: bytes) -> float:
    start = time.perf_counter()
    outline(data)
    return time.perf_counter() - start
