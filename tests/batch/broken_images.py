"""A file for each way in which an image is refused, as small as it may be."""

import struct

from data.image_files import claiming, jpeg, png, with_chunks, with_extensions, with_scans

from retinaface_tf.config import MAX_SIDE

BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"no image " * 9,
    "cut_short.jpg": jpeg()[:-40],
    "claims_more_than_it_holds.jpg": claiming(jpeg(), 300),
    "cut_short.png": png()[:40],
    "too_large.png": png()[:16] + struct.pack(">II", MAX_SIDE + 1, 1) + png()[24:],
    "too_many_scans.jpg": with_scans(101),
    "too_many_texts.png": with_chunks(b"zTXt", 17),
    "too_many_blocks.gif": with_extensions(5000),
}
