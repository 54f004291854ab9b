"""Writes data sets without the images of held_out.txt, for training, and of them, for fine-tuning.

    python benchmarks/held_out.py data/widerface/train/label.txt data/held_out

The first argument is a label file of WIDER FACE train, with `images` beside it, the second a new
folder. There, `train.txt` has the labels without the held-out images. In the data sets `30` and
`230`, train is that many held-out images, and val is the 100 images for measuring; in their ground
truth, a face counts by its height.
"""

import sys
from pathlib import Path

from retinaface_tf.data.convert.dataset import write_dataset
from retinaface_tf.data.convert.readers import read_labels
from retinaface_tf.files import write_text

NAMES = Path(__file__).with_name("held_out.txt")
MEASURE = 100
SIZES = (30, 230)


def held_out() -> list[str]:
    """Reads the names of the held-out images, of which the first MEASURE are for measuring."""
    lines = NAMES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def without(labels: str, names: set[str]) -> str:
    """Returns the lines of a label file without those of some images."""
    entries = labels.split("# ")
    return "# ".join(entry for entry in entries if entry.partition("\n")[0].strip() not in names)


def main(labels: Path, folder: Path) -> None:
    names = held_out()
    folder.mkdir()
    write_text(folder / "train.txt", without(labels.read_text(encoding="utf-8"), set(names)))
    images = {image.name: image for image in read_labels("widerface", labels)}
    chosen = [images[name] for name in names]
    for size in SIZES:
        train = chosen[MEASURE : MEASURE + size]
        write_dataset(folder / str(size), {"train": train, "val": chosen[:MEASURE]})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
