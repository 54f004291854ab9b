"""The two halves of a data set, ready to be read: drawn if it is the embedded one, and checked."""

import logging
from pathlib import Path

from retinaface_tf.config import Config
from retinaface_tf.data.synthetic import draw_dataset
from retinaface_tf.data.widerface import Records, check_images, read_records


def training_set(config: Config) -> Records:
    """What to train on; without its images without faces, unless the loss learns from them.

    Raises:
        InputError: labels or images are missing or broken.
    """
    return _open(config, config.data.train_labels, keep_empty=config.loss.min_negatives > 0)


def validation_set(config: Config) -> Records:
    """What to evaluate on.

    Raises:
        InputError: labels or images are missing or broken.
    """
    return _open(config, config.data.val_labels, keep_empty=True)


def _open(config: Config, labels: str, *, keep_empty: bool) -> Records:
    data = config.data
    root = Path(data.root)
    if data.drawn_train and not root.exists():
        message = "%s: drawing %d + %d images of faces"
        logging.getLogger(__name__).info(message, root, data.drawn_train, data.drawn_val)
        draw_dataset(root, data.drawn_train, data.drawn_val)
    records = read_records(config.below_root(labels), keep_empty=keep_empty)
    check_images(records)
    return records
