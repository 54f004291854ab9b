"""Trains while being killed at random, beside the same run undisturbed: nothing may be lost.

    python benchmarks/soak.py --minutes 30 --kills 12

Both runs train on two logical CPU devices with drawn faces and `train.deterministic`. One is killed
by SIGKILL at random times and started again each time. At the end both must be equal bit for bit,
and the memory of the undisturbed run must not have grown after its first third; otherwise the exit
code is 2.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import DOES_NOT_HOLD
from retinaface_tf.runtimes.run_folder import saved_checkpoints

MOST_GROWTH = 1.05
STEPS_PER_SECOND = 12  # a first guess, on which only the length of the soak depends
BATCH, IMAGES = 8, 64

_MINUTES = flags.DEFINE_float("minutes", 30, "About how long to train.", lower_bound=0.5)
_KILLS = flags.DEFINE_integer("kills", 12, "How often to kill, at least.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 1, "Seed of the times of the kills.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    draw_faces(folder)
    epochs = round(_MINUTES.value * 60 * STEPS_PER_SECOND / (IMAGES // BATCH))
    alone = start(folder, "alone", epochs)
    rss: list[float] = []
    killed = Killed(folder, epochs)
    began = time.monotonic()
    while alone.poll() is None or killed.is_running:
        if alone.poll() is None:
            rss.append(resident(alone.pid))
        killed.watch()
        time.sleep(0.5)
    print(f"{(time.monotonic() - began) / 60:.1f} minutes, {killed.count} kills, {epochs} epochs")
    # The last samples are from a process that is ending.
    steady = np.array(rss[len(rss) // 3 : -4])
    growth = steady.max() / steady[: max(1, len(steady) // 10)].max()
    peak = steady.max()
    print(f"memory after the first third {steady[0]:.0f} MiB, at most {peak:.0f}: {growth:.3f}x")
    is_same = same_bits(folder / "alone", folder / "killed")
    print("the same bits" if is_same else f"other bits: {folder}")
    if not (is_same and growth <= MOST_GROWTH and killed.count >= _KILLS.value):
        return DOES_NOT_HOLD
    shutil.rmtree(folder)
    return 0


class Killed:
    """Runs and kills a run at random times, spaced so that all kills fall into the soak."""

    def __init__(self, folder: Path, epochs: int):
        self.folder, self.epochs, self.count = folder, epochs, 0
        self.random = random.Random(_SEED.value)
        self._start()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def watch(self) -> None:
        """Kills the process when it is time, and starts the next."""
        if self.is_running and time.monotonic() > self.until:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.count += 1
            self._start()
        elif self.process.poll() not in (None, 0):
            raise SystemExit(f"a run ended by itself with code {self.process.returncode}")

    def _start(self) -> None:
        self.process = start(self.folder, "killed", self.epochs)
        mean = _MINUTES.value * 60 / (_KILLS.value + 2)
        wait = self.random.uniform(0.3, 1.7) * mean
        self.until = time.monotonic() + wait if self.count < 2 * _KILLS.value else float("inf")


def draw_faces(folder: Path) -> None:
    from retinaface_tf.data.synthetic.scenes import draw_dataset

    draw_dataset(folder / "faces", IMAGES, 8)


def start(folder: Path, name: str, epochs: int) -> "subprocess.Popen[bytes]":
    settings = {
        "data.root": folder / "faces",
        "data.image_size": 128,
        "train.epochs": epochs,
        "train.batch_per_device": BATCH,
        "train.cpu_devices": 2,
        "train.deterministic": "true",
        "train.checkpoint_steps": 50,
        "train.validate_epochs": 50,
        "train.validate_images": 8,
        "train.steps_per_call": 50,
    }
    flags_ = [f"--set={key}={value}" for key, value in settings.items()]
    log = (folder / f"{name}.log").open("ab")
    command = ["train.py", "--cfg=configs/quickstart.yaml", f"--workdir={folder / name}", *flags_]
    return subprocess.Popen([sys.executable, *command], stderr=log)


def resident(pid: int) -> float:
    """Returns the memory of a process in MiB; 0 once it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    fields = [line.split() for line in text.splitlines() if line.startswith("VmRSS")]
    return int(fields[0][1]) / 1024 if fields else 0.0


def same_bits(workdir: Path, other: Path) -> bool:
    cli.start_tensorflow()
    import tensorflow as tf

    readers = [tf.train.load_checkpoint(saved_checkpoints(path)[0]) for path in (workdir, other)]
    names = [
        name
        for name in readers[0].get_variable_to_shape_map()
        # The number of saves is not part of what was trained.
        if "VARIABLE_VALUE" in name and "save_counter" not in name
    ]
    return len(names) > 300 and all(
        readers[0].get_tensor(name).tobytes() == readers[1].get_tensor(name).tobytes()
        for name in names
    )


if __name__ == "__main__":
    cli.run(main)
