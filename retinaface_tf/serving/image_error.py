"""Why an image that was sent has no detections; without TensorFlow, for clients."""

from enum import IntEnum


class ImageError(IntEnum):
    """The output `error` of an exported model, one of each image."""

    NONE = 0
    UNKNOWN_KIND = 1  # neither JPEG, PNG, GIF, BMP nor WebP; no bytes at all
    BROKEN = 2  # of such a kind, but cut short or damaged
    TOO_SMALL = 3  # a side has not even the pixels of the finest stride, so that no anchor fits
    TOO_LARGE = 4  # more pixels, or a longer side, than the model was exported for
