"""Defines the command `retinaface`: a table of subcommands, and what they all share.

Commands share a quiet start of TensorFlow, the help, and one-line errors. This module imports
neither TensorFlow nor NumPy, so that help appears at once.
"""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType, ModuleType

from absl import app
from absl import logging as absl_logging

from retinaface_tf.errors import BAD_INPUT, INTERRUPTED, InputError, RetinaFaceError, one_line
from retinaface_tf.printing import PrintableFormatter, printable
from retinaface_tf.usage import VERSION, did_you_mean, parse_flags

Main = Callable[[list[str]], int | None]


@dataclass(frozen=True)
class Command:
    """Describes one subcommand of the table."""

    module: str  # has `main`, which takes the positional arguments and returns an exit code
    summary: str
    example: str


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "train": Command(
            "retinaface_tf.training.__main__",
            "Trains a network, or resumes a run.",
            "retinaface train --cfg mobilenet025 --set train.epochs=3 --workdir runs/mine",
        ),
        "eval": Command(
            "retinaface_tf.evaluation.__main__",
            "Measures AP on the WIDER FACE validation set.",
            "retinaface eval --weights runs/mine --protocol original",
        ),
        "export": Command(
            "retinaface_tf.export.__main__",
            "Exports a detector as SavedModel, ONNX or LiteRT.",
            "retinaface export --weights runs/mine --format onnx --out models/mine",
        ),
        "detect": Command(
            "retinaface_tf.detect.__main__",
            "Detects faces in images, folders, videos, cameras and streams.",
            "retinaface detect photo.jpg --out detections",
        ),
        "batch": Command(
            "retinaface_tf.batch.__main__",
            "Detects faces in many images, on this machine or with Ray or Spark.",
            "retinaface batch photos --weights models/mine --out found --engine ray",
        ),
        "demo": Command(
            "retinaface_tf.demo.__main__",
            "Serves a local page on which to try a detector on photos and the camera.",
            "retinaface demo",
        ),
        "doctor": Command(
            "retinaface_tf.doctor.__main__",
            "Examines data, this machine, or a step that went wrong.",
            "retinaface doctor data data/widerface --out doctor",
        ),
        "convert": Command(
            "retinaface_tf.data.convert.__main__",
            "Converts labels from COCO, YOLO, VOC or WIDER FACE.",
            "retinaface convert --from coco --train faces.json --train_images photos "
            "--to data/mine",
        ),
        "compare": Command(
            "retinaface_tf.evaluation.compare.__main__",
            "Compares evaluations.",
            "retinaface compare runs/a/eval/eval.json runs/b/eval/eval.json --report compared",
        ),
        "weights": Command(
            "retinaface_tf.model.weights.__main__",
            "Lists this package's weights, and imports those of other projects.",
            "retinaface weights import mobilenet0.25_Final.pth mine.weights.h5 --cfg mobilenet025",
        ),
        "launch": Command(
            "retinaface_tf.training.launch.__main__",
            "Starts several training workers on this machine.",
            "retinaface launch --workers 2 -- train.py --cfg configs/mobilenet025.yaml",
        ),
        "client": Command(
            "retinaface_tf.serving.client.__main__",
            "Sends images to the server of an exported model, and draws the faces.",
            "retinaface client photo.jpg --url grpc://localhost:8500",
        ),
    }
)


def main() -> None:
    """Runs `retinaface COMMAND ...`, and exits."""
    name, arguments = (sys.argv[1] if sys.argv[1:] else ""), sys.argv[2:]
    if name in ("-h", "--help", "help"):
        print(_overview())
    elif name == "--version":
        print(VERSION)
    elif name in COMMANDS:
        sys.argv = [f"retinaface {name}", *arguments]
        run(importlib.import_module(COMMANDS[name].module).main)
    else:
        found = f"{name}: unknown command" if name else "expected a command"
        _print_error(f"{found}{did_you_mean(name, COMMANDS)}; retinaface --help lists the commands")
        sys.exit(BAD_INPUT)


def run(main: Main) -> None:
    """Runs a command's main with its positional arguments, and exits."""
    module = sys.modules[main.__module__]

    def parse(argv: list[str]) -> list[str]:
        try:
            return parse_flags(argv, module, _example(module))
        except InputError as error:
            _print_error(str(error))
            sys.exit(error.exit_code)

    def log_and_call(argv: list[str]) -> int | None:
        logging.basicConfig(level=logging.INFO, force=True)
        (handler,) = logging.getLogger().handlers
        handler.setLevel(logging.INFO)  # log files may show more
        handler.setFormatter(PrintableFormatter("%(message)s"))
        return call(main, argv[1:])

    app.run(log_and_call, flags_parser=parse)


def call(main: Main, arguments: list[str]) -> int | None:
    """Calls a command's main and returns its exit code; an error becomes one line on stderr."""
    try:
        return main(arguments)
    except RetinaFaceError as error:
        _print_error(str(error))
        return error.exit_code
    except OSError as error:
        # Such as a folder that cannot be written, or a full disk.
        _print_error(f"{error.filename}: {error.strerror}" if error.filename else one_line(error))
    except KeyboardInterrupt:
        _print_error("interrupted")
        return INTERRUPTED
    return BAD_INPUT


def show_details(module: str) -> None:
    """Shows the details that a module logs at level DEBUG, for a command's `--verbose`."""
    logging.getLogger(module).setLevel(logging.DEBUG)
    logging.getLogger().handlers[0].setLevel(logging.DEBUG)


def expect_no(arguments: list[str]) -> None:
    """Refuses positional arguments, which absl lets through.

    Raises:
        InputError: there is a positional argument.
    """
    if arguments:
        raise InputError(f"expected flags only, found {' '.join(arguments)}")


def start_tensorflow() -> None:
    """Imports TensorFlow without its notices, and keeps it from taking a whole GPU at once.

    No device is used yet: that would fix settings that a run may still choose.

    Raises:
        InputError: the Keras settings are broken.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # hides logs about devices
    with silent_stderr():
        try:
            import keras  # noqa: F401 (both read the settings of Keras)
            import tensorflow as tf
        except (AssertionError, AttributeError, TypeError, ValueError) as error:
            reason = one_line(error)
            raise InputError(f"settings of Keras (keras.json, KERAS_*): {reason}") from None
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    # Its Python warnings, too, are about internals: names in graphs, durations of callbacks.
    tf.get_logger().setLevel("ERROR")
    absl_logging.set_verbosity(absl_logging.ERROR)


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards what C++ code writes before its logging can be configured."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "Detects faces with five landmarks: RetinaFace on TensorFlow and Keras.",
            "",
            "Usage: retinaface COMMAND ...",
            "",
            *lines,
            "",
            "`retinaface COMMAND --help` shows the flags of a command.",
        ]
    )


def _example(module: ModuleType) -> str:
    """Returns the example of the command that a module implements."""
    name = module.__spec__.name if module.__spec__ else ""
    return next((c.example for c in COMMANDS.values() if c.module == name), "")


def _print_error(message: str) -> None:
    print(f"error: {printable(message)}", file=sys.stderr)
