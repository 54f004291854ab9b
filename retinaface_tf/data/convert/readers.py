"""Lists the readers of others' label formats; one more format is one more entry."""

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

# From labels, the folder of their images (None: the format's usual one) and the category of faces.
Reader = Callable[[Path, Path | None, str], list[LabelledImage]]

READERS: Mapping[str, Reader] = MappingProxyType(
    {"coco": read_coco, "yolo": read_yolo, "voc": read_voc, "widerface": read_widerface}
)

log = logging.getLogger(__name__)


def read_labels(
    format: str, labels: Path, images: Path | None = None, category: str = "face"
) -> list[LabelledImage]:
    """Reads labelled images; faces without area are dropped and counted in one warning.

    Training would drop these faces, too, so that ground truth which counts them has no detector
    that finds them.

    Args:
        format: a key of READERS.
        labels: a file or a folder, as the format has it.
        images: the folder of the images; None is the usual one of the format.
        category: of faces, among the categories of the labels.

    Raises:
        InputError: labels or images are missing, or not as the format has them; or two images
            have one name but for the suffix, by which labels and predictions know them.
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
