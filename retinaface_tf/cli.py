"""What every command shares: config flags, a quiet start of TensorFlow, one-line errors."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from absl import app, flags
from absl import logging as absl_logging

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import (
    BAD_INPUT,
    DOES_NOT_HOLD,
    STOPPED,
    DoesNotHold,
    InputError,
    LostWorkerError,
    one_line,
)

_CFG = flags.DEFINE_string("cfg", "configs/res50.yaml", "The config to run.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a setting: --set section.key=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder, instead of train.workdir.")


def read_config(**overrides: str | float | None) -> Config:
    """The config that the flags name, with their overrides.

    Args:
        **overrides: flags that stand for a setting, as `eval__protocol="vga"`; None is no override.
    """
    settings = []
    if _WORKDIR.value is not None:
        settings += [f"train.workdir={json.dumps(_WORKDIR.value)}", "eval.weights=null"]
    settings += _SET.value
    settings += [
        f"{key.replace('__', '.')}={json.dumps(value)}"
        for key, value in overrides.items()
        if value is not None
    ]
    return load_config(_CFG.value, settings)


def expect_no(arguments: list[str]) -> None:
    """Refuses positional arguments, which absl lets through.

    Raises:
        InputError: there is one.
    """
    if arguments:
        raise InputError(f"expected flags only, found {' '.join(arguments)}")


def start_tensorflow() -> None:
    """Imports TensorFlow without its notices, and keeps it from taking a whole GPU at once.

    No device is used yet, which would fix what a run may still choose.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # its devices, as it starts them
    with _silent_stderr():
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    # Its Python warnings are about its insides too: names in graphs, durations of callbacks.
    tf.get_logger().setLevel("ERROR")
    absl_logging.set_verbosity(absl_logging.ERROR)


@contextmanager
def _silent_stderr() -> Iterator[None]:
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


def run(main: Callable[[list[str]], int | None]) -> None:
    """Runs a command's main with its positional arguments.

    An InputError becomes its message on stderr and exit code 1, DoesNotHold likewise and code 2.
    """

    def guarded(argv: list[str]) -> int | None:
        logging.basicConfig(format="%(message)s", level=logging.INFO, force=True)
        logging.getLogger().handlers[0].setLevel(logging.INFO)  # files may take more
        try:
            return main(argv[1:])
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
        except DoesNotHold as error:
            print(f"error: {error}", file=sys.stderr)
            return DOES_NOT_HOLD
        except LostWorkerError as error:
            print(f"error: {error}", file=sys.stderr)
            return STOPPED
        except OSError as error:
            # A folder that cannot be written, a full disk.
            place = f"{error.filename}: {error.strerror}" if error.filename else one_line(error)
            print(f"error: {place}", file=sys.stderr)
        return BAD_INPUT

    app.run(guarded)
