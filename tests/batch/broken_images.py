"""A file for each way in which an image is refused, as small as it may be."""

from data.image_files import claiming, jpeg, with_chunks, with_extensions, with_scans
from serving.conftest import png_of

from retinaface_tf.config import MAX_SIDE

BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"no image " * 9,
    "cut_short.jpg": jpeg()[:-40],
    "claims_more_than_it_holds.jpg": claiming(jpeg(), 300),
    "cut_short.png": png_of(9, 9)[:40],
    "too_large.png": png_of(MAX_SIDE + 1, 1),
    "too_many_scans.jpg": with_scans(101),
    "too_many_texts.png": with_chunks(b"zTXt", 17),
    "too_many_blocks.gif": with_extensions(5000),
}
