"""Asks a server for faces: python -m retinaface_tf.serving.client IMAGE... --url grpc://host:8500.

Writes a picture of each image with its faces. Programs use `Client`.
"""

import logging
from collections import Counter
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.data.decode_host import decode_bytes
from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.drawing import draw_faces, write_picture
from retinaface_tf.errors import ImageError, InputError
from retinaface_tf.serving.client.client import Client

_URL = flags.DEFINE_string(
    "url", "grpc://localhost:8500", "The server, by grpc, grpcs, http or https."
)
_MODEL = flags.DEFINE_string("model", "retinaface", "The model's name on the server.")
_OUT = flags.DEFINE_string("out", "answers", "Folder for the pictures.")
_SCORE = flags.DEFINE_float(
    "score", DEFAULT_SCORE, "Faces below this score are left out.", 0.0, 1.0
)
_SCORE_THRESHOLD = flags.DEFINE_float(
    "score_threshold", None, "Score threshold, instead of the model's.", 0.0, 1.0
)
_NMS_IOU = flags.DEFINE_float("nms_iou", None, "IoU of NMS, instead of the model's.", 0.0, 1.0)
_RESIZED = flags.DEFINE_bool("resized", False, "Has the server resize images to one size.")
_BATCH = flags.DEFINE_integer("batch", 8, "Images per request.", lower_bound=1)
_TIMEOUT = flags.DEFINE_float(
    "timeout", 60.0, "Seconds that a request may take, with all attempts.", lower_bound=0.001
)


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected images: python -m retinaface_tf.serving.client IMAGE...")
    files = [Path(argument) for argument in arguments]
    if twice := [name for name, count in Counter(f.name for f in files).items() if count > 1]:
        raise InputError(f"{', '.join(twice)}: several images, whose pictures would share a name")
    contents = [file.read_bytes() for file in files]
    cli.start_tensorflow()

    client = Client(_URL.value, _MODEL.value, batch=_BATCH.value, timeout=_TIMEOUT.value)
    thresholds = {"score_threshold": _SCORE_THRESHOLD.value, "nms_iou": _NMS_IOU.value}
    answers = client.detect(contents, resized=_RESIZED.value, **thresholds)
    refused = []
    for file, content, answer in zip(files, contents, answers, strict=True):
        if answer.error is not ImageError.NONE:
            refused.append(f"{file} ({answer.error.name})")
            continue
        good = answer.scores >= _SCORE.value
        picture = Path(_OUT.value) / f"{file.name}.jpg"
        image = decode_bytes(content, str(file))
        write_picture(picture, draw_faces(image, answer.boxes[good], answer.landmarks[good]))
        logging.info("%s: %d faces, drawn to %s", file, good.sum(), picture)
    if refused:
        raise InputError(f"{len(refused)} of {len(files)} refused: {', '.join(refused)}")
    return 0


if __name__ == "__main__":
    cli.run(main)
