"""Finds the first frame of a GIF, in the graph."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.outline import (
    EXTENSION,
    FRAME,
    GIF_HEADER_BYTES,
    MAX_BLOCKS,
    REGULAR_SUB_BLOCK,
)

_ZEROS = 32  # at the end, so that look-ups never fail; two of them end a frame


class Frame(NamedTuple):
    """Locates the first frame of a GIF."""

    size: tf.Tensor  # int64 [2], height and width, 0 if there is no frame
    end: tf.Tensor  # int32, where the frame ends
    is_excessive: tf.Tensor  # bool, whether it takes more than MAX_BLOCKS blocks to get there


class _Walk(NamedTuple):
    """Holds the state of a walk through a GIF, from block to block."""

    place: tf.Tensor  # int32
    frame: tf.Tensor  # int32, where the first frame begins, or -1
    in_block: tf.Tensor  # bool, whether there is a sub-block at the place
    blocks: tf.Tensor  # int32, passed so far


def find_first_frame(data: tf.Tensor) -> Frame:
    """Finds the first frame of a GIF.

    Args:
        data: string scalar, the file's bytes.

    Source: GIF89a, sections 15 (sub-blocks), 18 to 25 (the order of blocks).
    """
    values = tf.cast(tf.io.decode_raw(data + bytes(_ZEROS), tf.uint8), tf.int32)
    last = tf.size(values) - _ZEROS

    def goes_on(walk: _Walk) -> tf.Tensor:
        byte = values[walk.place]
        starts_block = (byte == EXTENSION) | (byte == FRAME)
        # A frame ends with an empty sub-block; an extension leads on to another block.
        leads_on = tf.where(walk.in_block, (walk.frame < 0) | (byte > 0), starts_block)
        return (walk.place < last) & leads_on & (walk.blocks <= MAX_BLOCKS)

    def step(walk: _Walk) -> tuple[_Walk]:
        place, byte = walk.place, values[walk.place]
        next_place = tf.where(
            walk.in_block,
            _end_of_sub_blocks(values, place),
            _end_of_block_header(values, place, last),
        )
        is_frame = ~walk.in_block & (byte == FRAME)
        return (
            _Walk(
                place=tf.minimum(next_place, last),
                frame=tf.where(is_frame, place, walk.frame),
                in_block=~walk.in_block | (byte > 0),
                blocks=walk.blocks + 1,
            ),
        )

    start = tf.minimum(GIF_HEADER_BYTES + _colour_table_bytes(values[10]), last)
    state = _Walk(start, tf.constant(-1), tf.constant(False), tf.constant(0))
    (end,) = tf.while_loop(goes_on, step, (state,))
    places = tf.maximum(end.frame, 0) + [7, 5]
    size = tf.gather(values, places) + 256 * tf.gather(values, places + 1)
    return Frame(
        size=tf.cast(tf.where(end.frame >= 0, size, 0), tf.int64),
        end=tf.minimum(end.place + 1, last),
        is_excessive=end.blocks > MAX_BLOCKS,
    )


def _end_of_sub_blocks(values: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Returns the place after a sub-block, and after all of the same size that follow it, int32.

    Only runs of long sub-blocks are looked for: frames are written in ones of 254 or 255 bytes.
    """
    step = values[place] + 1

    def in_a_row() -> tf.Tensor:
        differs = tf.reshape(values[place::step] != values[place], [-1])
        first = tf.argmax(differs, output_type=tf.int32)
        return tf.where(tf.reduce_any(differs), first, tf.size(differs))

    return place + step * tf.cond(step > REGULAR_SUB_BLOCK, in_a_row, lambda: 1)


def _end_of_block_header(values: tf.Tensor, place: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Returns where the sub-blocks of an extension or a frame at `place` begin, int32."""
    colours = _colour_table_bytes(values[tf.minimum(place + 9, last)])
    return place + tf.where(values[place] == FRAME, 11 + colours, 2)


def _colour_table_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Returns the size of the colour table that a GIF's flags announce, int32."""
    size = tf.gather([6, 12, 24, 48, 96, 192, 384, 768], flags % 8)
    return tf.where(flags >= 128, size, 0)
