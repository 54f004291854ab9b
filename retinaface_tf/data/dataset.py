"""Opens and checks the training and the validation set, or draws synthetic ones."""

import logging
from pathlib import Path

from retinaface_tf.config import Config
from retinaface_tf.data.records import Records, check_images, find_faults
from retinaface_tf.data.synthetic.scenes import draw_dataset
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError

log = logging.getLogger(__name__)


def training_set(config: Config) -> Records:
    """Opens the training set; images without faces are left out unless the loss learns from them.

    With `data.unreadable: skip`, images that are missing or broken are also left out, and named in
    one warning; to find them, all images are decoded.

    Raises:
        InputError: labels are missing or broken; or images are, and `data.unreadable` is `stop`.
    """
    records = _read(config, config.data.train_labels, keep_empty=config.loss.min_negatives > 0)
    if config.data.unreadable == "skip":
        return _without_unreadable(records)
    check_images(records)
    return records


def validation_set(config: Config) -> Records:
    """Opens the validation set.

    Raises:
        InputError: labels or images are missing or broken.
    """
    records = _read(config, config.data.val_labels, keep_empty=True)
    check_images(records)
    return records


def _without_unreadable(records: Records) -> Records:
    from retinaface_tf.data.decode import find_undecodable  # TensorFlow, which eval.py starts later

    faults = find_faults(records)
    present = [i for i in range(len(records)) if i not in faults]
    for place in find_undecodable([str(records.path(i)) for i in present]):
        faults[present[place]] = "cannot be decoded"
    if faults:
        named = ", ".join(f"{records.images[i]} {fault}" for i, fault in sorted(faults.items()))
        message = "%s: skipped %d of %d images: %s"
        log.warning(message, records.label_file, len(faults), len(records), named)
    return records.only([i for i in range(len(records)) if i not in faults])


def _read(config: Config, labels: str, *, keep_empty: bool) -> Records:
    data = config.data
    root = Path(data.root)
    if data.drawn_train and not root.exists():
        message = "%s: drawing %d + %d images of faces"
        log.info(message, root, data.drawn_train, data.drawn_val)
        draw_dataset(root, data.drawn_train, data.drawn_val)
    file = config.below_root(labels)
    if not file.exists():
        raise InputError(
            f"{file}: no such file; expected a data set in data.root, which is {root}: set another "
            f"with --set data.root=DIR, or draw one with `make demo` or --cfg quickstart"
        )
    return read_records(file, keep_empty=keep_empty)
