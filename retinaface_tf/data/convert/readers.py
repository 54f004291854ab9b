"""Lists the readers of others' label formats; one more format is one more entry."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from retinaface_tf.data.convert.coco import read_coco
from retinaface_tf.data.convert.labelled import LabelledImage
from retinaface_tf.data.convert.voc import read_voc
from retinaface_tf.data.convert.widerface import read_widerface
from retinaface_tf.data.convert.yolo import read_yolo

# From labels, the folder of their images (None: the format's usual one) and the category of faces.
Reader = Callable[[Path, Path | None, str], list[LabelledImage]]

READERS: Mapping[str, Reader] = MappingProxyType(
    {"coco": read_coco, "yolo": read_yolo, "voc": read_voc, "widerface": read_widerface}
)
