r"""Kills `retinaface batch` on Ray again and again, and compares its rows with an undisturbed run.

    python benchmarks/batch_kills.py --weights models/mobilenet025 --data data/widerface

Cuts small images out of those of WIDER FACE, and breaks one in a hundred in one of the ways that
are refused. Two workers process them twice: undisturbed; and with SIGKILLs to a random worker or to
the command, which is then started again. The exit code is 2 unless both runs have the same rows,
with boxes within 0.01 pixels.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from absl import flags

from retinaface_tf import cli
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files
from retinaface_tf.errors import DOES_NOT_HOLD

# The tests have a file for each way to break an image, and helpers to kill processes.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

TOLERANCE = 1e-2  # pixels
CROPS, SIDES = 10, (96, 112, 128, 160)  # crops of a photo, and their widths in pixels

_WEIGHTS = flags.DEFINE_string("weights", None, "A model, as for `retinaface batch`.")
_DATA = flags.DEFINE_string("data", None, "A folder with photos in it or below.")
_IMAGES = flags.DEFINE_integer("images", 10_000, "How many images to process.", lower_bound=100)
_KILLS = flags.DEFINE_integer("kills", 20, "How often to kill.", lower_bound=1)
_GAP = flags.DEFINE_float("gap", 3.0, "Longest time in seconds from new results to a kill.")
_FOLDER = flags.DEFINE_string("folder", None, "Folder to work and resume in; else a new one.")
flags.mark_flags_as_required(["weights", "data"])


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    from kills import run_with_kills

    folder = Path(_FOLDER.value or tempfile.mkdtemp(prefix="batch-kills-"))
    if not (folder / "images").exists():
        cut_images(folder / "images")
    killed = 0
    for name, kills in {"alone": 0, "killed": _KILLS.value}.items():
        began = time.monotonic()
        command = [sys.executable, "-m", "retinaface_tf.batch", str(folder / "images")]
        command += [f"--weights={_WEIGHTS.value}", f"--out={folder / name}"]
        command += ["--engine=ray", "--workers=2"]
        killed = run_with_kills(command, folder / name, kills, _GAP.value)
        print(f"{name}: {killed} kills, {time.monotonic() - began:.0f} s", flush=True)
    alone, other = (read_rows(folder / name) for name in ("alone", "killed"))
    errors = sum(row["error"] is not None for row in alone.values())
    faces = sum(len(row["faces"]) for row in alone.values())
    same = alone.keys() == other.keys() and len(alone) == _IMAGES.value
    apart = max(distance(row, other[path]) for path, row in alone.items()) if same else np.inf
    print(f"{len(alone)} rows, {errors} errors, {faces} faces; at most {apart:g} px apart")
    return 0 if apart <= TOLERANCE and killed == _KILLS.value else DOES_NOT_HOLD


def cut_images(folder: Path) -> None:
    """Cuts squares out of random photos, and breaks one file in a hundred."""
    from broken_images import BROKEN

    folder.mkdir(parents=True)
    choose, photos = random.Random(1), find_files(Path(_DATA.value), IMAGE_SUFFIXES)
    broken = list(BROKEN.items())
    for number in range(_IMAGES.value):
        if number % CROPS == 0:
            photo = read_image(choose.choice(photos))
        if number % 100 == 50:
            name, data = broken[number // 100 % len(broken)]
            (folder / f"{number:06d}_{name}").write_bytes(data)
            continue
        height, width = photo.shape[:2]
        side = min(height, width, choose.choice((300, 400, 600)))
        y, x = choose.randrange(height - side + 1), choose.randrange(width - side + 1)
        size = choose.choice(SIDES)
        square = cv2.resize(photo[y : y + side, x : x + side], (size, size))
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), square[..., ::-1])


def read_rows(out: Path) -> dict[str, dict]:
    table = pq.read_table(out / "detections").to_pylist()
    rows = {row["path"]: row for row in table}
    if len(rows) < len(table):
        raise SystemExit(f"{out}: {len(table) - len(rows)} images have two rows")
    return rows


def distance(row: dict, other: dict) -> float:
    """Returns how many pixels apart the faces of two rows are; infinite if all else differs."""
    keys = ("width", "height", "error")
    if [row[key] for key in keys] != [other[key] for key in keys]:
        return float("inf")
    points = [
        [[*face["box"], *np.ravel(face["landmarks"])] for face in each["faces"]]
        for each in (row, other)
    ]
    if len(points[0]) != len(points[1]):
        return float("inf")
    return float(np.abs(np.subtract(*points)).max(initial=0))


if __name__ == "__main__":
    cli.run(main)
