"""Runs commands of this project in forks of one process that has imported TensorFlow already.

That saves the seconds of importing for each of the many commands in the docs.
"""

import multiprocessing
import os
import runpy
import shlex
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from tiny_backbone import tiny_backbone

from retinaface_tf import cli

# What commands import, but for their own modules, of which each defines the same flags.
PRELOADED = (
    *("tensorflow", "doc_commands", "retinaface_tf.training.loop"),
    *("retinaface_tf.evaluation.evaluate", "retinaface_tf.export.parity_images"),
)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(list(PRELOADED))
MINUTES = 5  # from which on a command hangs


@dataclass(frozen=True)
class Done:
    exit_code: int | None  # None where the command had to be ended
    stdout: str
    stderr: str


def is_ours(command: str) -> bool:
    program, script, *_ = [*shlex.split(command), ""]
    return program == "retinaface" or (program == "python" and script.endswith(".py"))


def run_forked(command: str, folder: Path, *, tiny: bool) -> Done:
    """Runs `retinaface ...` or `python train.py ...` in a folder.

    Args:
        command: one for which `is_ours` holds.
        folder: the working directory.
        tiny: puts a backbone of five convolutions in the place of mobilenet025.
    """
    arguments = shlex.split(command)
    files = folder / "stdout.txt", folder / "stderr.txt"
    process = FORKS.Process(target=_run, args=(arguments, folder, files, tiny))
    process.start()
    process.join(60 * MINUTES)
    process.kill()
    return Done(process.exitcode, *(file.read_text(encoding="utf-8") for file in files))


def _run(arguments: list[str], folder: Path, files: tuple[Path, Path], tiny: bool) -> None:
    os.chdir(folder)
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    with tiny_backbone() if tiny else nullcontext():
        if arguments[0] == "retinaface":
            sys.argv = arguments
            cli.main()
        else:
            sys.argv = arguments[1:]
            runpy.run_path(sys.argv[0], run_name="__main__")
