r"""Compares the speed of `retinaface batch` on Ray with bare loops of the same model.

    python benchmarks/batch.py --weights models/mobilenet025 --images photos

The contestants take turns on the same cores: two Ray workers; one process that calls `detect`
image by image, with a thread for each core; and two such processes with one thread each. Start-up
does not count, that is, a loop's first images and each worker's first shards. Prints medians, and
the memory of each worker. The exit code is 2 if Ray is slower than .9 times the faster loop, or if
a worker's memory grows in the second half of its time. `--spark` also measures Spark, once.
"""

import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
from absl import flags
from soak import resident

from retinaface_tf import cli
from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files
from retinaface_tf.errors import DOES_NOT_HOLD

LEAST_RATIO, MOST_GROWTH = 0.9, 1.05
WARM_UP = 20  # images of a loop
WORKERS = 2

_WEIGHTS = flags.DEFINE_string("weights", None, "A model, as for `retinaface batch`.")
_IMAGES = flags.DEFINE_string("images", None, "A folder of some thousand small images.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
_SPARK = flags.DEFINE_bool("spark", False, "Measures Spark, once.")
flags.mark_flags_as_required(["weights", "images"])

memory: dict[int, list[float]] = {}  # MiB by Ray worker, a figure every half second


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    contestants: dict[str, Callable[[], float]] = {
        "Ray, 2 workers": lambda: by_engine("ray", f"--workers={WORKERS}"),
        "loop, 1 process": lambda: by_loops(1, threads=WORKERS),
        "loop, 2 processes": lambda: by_loops(WORKERS, threads=1),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(_ROUNDS.value):
        for name, measure in contestants.items():
            speeds[name].append(measure())
            print(f"{name:<20}{speeds[name][-1]:>8.1f} images/s", flush=True)
    ray, *loops = (statistics.median(each) for each in speeds.values())
    for name, each in speeds.items():
        print(f"{name:<20}{statistics.median(each):>8.1f} ({min(each):.1f} to {max(each):.1f})")
    halves = [(max(each[: len(each) // 2]), max(each)) for each in memory.values() if each[4:]]
    growth, most = max(b / a for a, b in halves), max(b for _, b in halves)
    print(f"Ray / faster loop {ray / max(loops):.3f}; {most:.0f} MiB, grown {growth:.3f}x")
    if _SPARK.value:
        print(f"{'Spark, 2 workers':<20}{by_engine('spark'):>8.1f} images/s")
    return 0 if ray >= LEAST_RATIO * max(loops) and growth <= MOST_GROWTH else DOES_NOT_HOLD


def by_engine(engine: str, *options: str) -> float:
    """Runs the command, and returns images per second between its first and its last results."""
    out = Path(tempfile.mkdtemp(prefix="batch-"))
    command = [sys.executable, "-m", "retinaface_tf.batch", _IMAGES.value, f"--out={out}"]
    command += [f"--weights={_WEIGHTS.value}", f"--engine={engine}", *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for worker in workers_of(process.pid):
                memory.setdefault(worker, []).append(resident(worker))
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    parts = sorted((out / "detections").iterdir(), key=lambda part: part.stat().st_mtime)
    first, last = parts[2 * WORKERS - 1].stat().st_mtime, parts[-1].stat().st_mtime
    images = sum(pq.read_metadata(part).num_rows for part in parts[2 * WORKERS :])
    shutil.rmtree(out)
    return images / (last - first)


def workers_of(pid: int) -> list[int]:
    """Finds the actors that a Ray process has started, by the names that Ray gives them."""
    found, queue = [], [pid]
    while queue:
        place = Path(f"/proc/{queue.pop()}")
        try:
            if (place / "cmdline").read_bytes().startswith(b"ray::Map"):
                found.append(int(place.name))
            for task in (place / "task").iterdir():
                queue += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return found


def by_loops(processes: int, threads: int) -> float:
    """Detects faces in parallel processes, each with its share of the images."""
    files = find_files(Path(_IMAGES.value), IMAGE_SUFFIXES)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        shares = [files[number::processes] for number in range(processes)]
        times = list(pool.map(loop, [_WEIGHTS.value] * processes, shares))
    del os.environ["OMP_NUM_THREADS"]
    starts, ends = zip(*times, strict=True)
    return (len(files) - processes * WARM_UP) / (max(ends) - min(starts))


def loop(model: str, files: list[Path]) -> tuple[float, float]:
    """Detects image by image; returns when the first after WARM_UP began and the last ended."""
    from retinaface_tf.batch.worker import open_with_limits

    detector = open_with_limits(model)
    start = 0.0
    for number, file in enumerate(files):
        if number == WARM_UP:
            start = time.time()
        detector.detect(file)
    return start, time.time()


if __name__ == "__main__":
    cli.run(main)
