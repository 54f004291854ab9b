"""Detects faces: python -m retinaface_tf.detect PATH... [--out DIR].

A PATH is an image, a video, a folder, which is searched with all its subfolders, a camera (`0` or
`/dev/video0`), or a stream (`http://camera/video.mjpg`). Without `--weights`, `--cfg` or
`--workdir` the command uses the package's own weights, mobilenet025. It writes `detections.jsonl`
and `detections.csv`, whose schema is in `detect/results.py`, and a picture or video of each input
with its faces. Cameras and streams run until Ctrl-C, or for `--max_frames`.
"""

import logging
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.alignment import TEMPLATES
from retinaface_tf.config_flags import read_config
from retinaface_tf.detect import run
from retinaface_tf.detect.output import OutputOptions
from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS
from retinaface_tf.runtimes.interface import DEFAULT_BATCH, Detector
from retinaface_tf.runtimes.locate import find_model
from retinaface_tf.runtimes.opening import find_config, open_configured, open_exported
from retinaface_tf.samples import SAMPLES

_WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "A name in `retinaface weights list`, a run's folder, a weights file, or an exported model; "
    "instead of --cfg's.",
)
_SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "An exported model: a folder, an .onnx or a .tflite file."
)
_SAMPLE = flags.DEFINE_bool("sample", False, "Also uses the package's two photographs.")
_OUT = flags.DEFINE_string("out", "detections", "Folder for the results.")
_SCORE = flags.DEFINE_float("score", DEFAULT_SCORE, "Leaves out faces below this score.", 0.0, 1.0)
_BATCH = flags.DEFINE_integer(
    "batch", DEFAULT_BATCH, "Images or frames of one size to process together.", 1
)
_MAX_FRAMES = flags.DEFINE_integer(
    "max_frames", None, "Frames to read of each video, camera or stream.", 1
)
_PICTURES = flags.DEFINE_bool("pictures", True, "Writes pictures or videos with the faces.")
_BLUR = flags.DEFINE_bool("blur", False, "Pixelates faces in pictures, instead of drawing boxes.")
_CROP = flags.DEFINE_bool("crop", False, "Writes each face as a separate picture.")
_MARGIN = flags.DEFINE_float("margin", 0.2, "Margin on each side of a crop, in box sizes.", 0.0)
_ALIGN = flags.DEFINE_enum(
    "align", None, list(TEMPLATES), "Writes each face aligned by its landmarks."
)
# absl's own -v takes a number, and sets absl's own log.
_VERBOSE = flags.DEFINE_bool(
    "verbose",
    False,
    "Logs the passes over each image, by the scale at which they see it.",
    short_name="v",
    allow_override=True,
)
flags.mark_flags_as_mutual_exclusive(["weights", "saved_model"], required=False)


def main(arguments: list[str]) -> int:
    paths = [*arguments, *(map(str, SAMPLES) if _SAMPLE.value else [])]
    if not paths:
        raise InputError("expected images, videos or folders: retinaface detect PATH...")
    if _BLUR.value and (_CROP.value or _ALIGN.value):
        raise InputError("--blur: --crop and --align would show the faces that it hides")
    if _VERBOSE.value:
        cli.show_details(run.__name__)
    options = OutputOptions(_PICTURES.value, _BLUR.value, _CROP.value, _MARGIN.value, _ALIGN.value)
    results = run.detect_paths(
        _open_detector(),
        paths,
        Path(_OUT.value),
        options,
        score_threshold=_SCORE.value,
        batch_size=_BATCH.value,
        max_frames=_MAX_FRAMES.value,
    )
    logging.info("%s, written to %s", results, _OUT.value)
    return 0


def _open_detector() -> Detector:
    exported = _SAVED_MODEL.value
    if exported is None and _WEIGHTS.value and find_model(_WEIGHTS.value).is_exported:
        exported = _WEIGHTS.value
    if exported is not None:
        if find_model(exported).needs_tensorflow:
            cli.start_tensorflow()
        return open_exported(exported)
    config = read_config(
        weights=_WEIGHTS.value, default_weights=DEFAULT_WEIGHTS, find_config=find_config
    )
    cli.start_tensorflow()
    return open_configured(config)


if __name__ == "__main__":
    cli.run(main)
