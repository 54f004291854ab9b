"""Lists the readers of label formats; to add a format, add an entry."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from retinaface_tf.data.convert.coco import read_coco
from retinaface_tf.data.convert.labelled import LabelledImage
from retinaface_tf.data.convert.voc import read_voc
from retinaface_tf.data.convert.widerface import read_widerface
from retinaface_tf.data.convert.yolo import read_yolo
from retinaface_tf.errors import InputError

# Takes labels, the folder of their images (None: the format's usual one), the category of faces.
Reader = Callable[[Path, Path | None, str], list[LabelledImage]]

READERS: Mapping[str, Reader] = MappingProxyType(
    {"coco": read_coco, "yolo": read_yolo, "voc": read_voc, "widerface": read_widerface}
)

log = logging.getLogger(__name__)


def read_labels(
    format: str, labels: Path, images: Path | None = None, category: str = "face"
) -> list[LabelledImage]:
    """Reads labelled images; faces without area are dropped and counted in one warning.

    Training would drop these faces, too, so no detector could find them if ground truth counted
    them.

    Args:
        format: a key of READERS.
        labels: a file or a folder, depending on the format.
        images: the folder of the images; None is the format's usual folder.
        category: the category that means a face.

    Raises:
        InputError: labels or images are missing, or not in the format; or the names of two images
            differ only in their suffix, which labels and predictions leave out.
    """
    read = READERS[format](labels, images, category)
    _check_unique(labels, read)
    kept = [replace(image, faces=[face for face in image.faces if face.has_area]) for image in read]
    dropped = sum(len(image.faces) for image in read) - sum(len(image.faces) for image in kept)
    if dropped:
        log.warning("%s: dropped %d faces without width or height", labels, dropped)
    return kept


def _check_unique(labels: Path, images: Sequence[LabelledImage]) -> None:
    names: dict[str, str] = {}
    for image in images:
        stem = str(Path(image.name).with_suffix(""))
        if stem in names:
            both = f"{names[stem]} and {image.name}"
            raise InputError(f"{labels}: {both}: expected names that differ in more than suffixes")
        names[stem] = image.name
