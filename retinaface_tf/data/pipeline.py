"""Batches for training: a tf.data pipeline whose every sample is a function of a counter.

Sample `c` of a run is image `shuffle(seed, epoch)[c mod I]`, augmented by the seed (seed, c), so
resuming means starting the counter elsewhere, and no iterator has to be saved.
"""

from collections.abc import Iterator

import tensorflow as tf

from retinaface_tf.config import DataConfig
from retinaface_tf.data.augment import augment
from retinaface_tf.data.decode import decode_window, open_image, why_undecodable
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError
from retinaface_tf.structures import Batch, Faces


def training_batches(
    records: Records,
    config: DataConfig,
    *,
    batch: int,
    seed: int,
    start: int = 0,
    parts: int = 1,
    mine: range = range(1),
) -> tf.data.Dataset:
    """Endless batches, or those parts of them that one worker makes.

    Args:
        records: what to train on.
        config: image size, augmentation, workers.
        batch: images per global batch.
        seed: of order and augmentation.
        start: batches already seen.
        parts: how many replicas share a batch.
        mine: numbers of the parts to make, one after the other.

    Returns:
        A dataset of `Batch`: images uint8 [B / parts, S, S, 3]; faces in fractions of the image,
        padded to the part's largest number of faces.
    """
    num_images = len(records)
    paths = tf.constant([str(records.path(i)) for i in range(num_images)])
    splits = tf.constant(records.splits)
    faces = Faces(
        boxes=tf.constant(records.boxes),
        landmarks=tf.constant(records.landmarks),
        has_landmarks=tf.constant(records.has_landmarks),
        valid=tf.ones([len(records.boxes)], tf.bool),
    )

    def sample(counter: tf.Tensor) -> Batch:
        index = sample_index(counter, num_images, seed)
        first, last = splits[index], splits[index + 1]
        image = open_image(tf.io.read_file(paths[index]))
        augmented = augment(
            image.size,
            lambda window: decode_window(image, window, config.image_size),
            Faces(*(part[first:last] for part in faces)),
            tf.stack([tf.constant(seed, tf.int64), counter]),
            config.augmentation,
            config.image_size,
        )
        return Batch(augmented.image, augmented.faces, index)

    size = batch // parts
    per_batch = size * len(mine)

    def counter_of(number: tf.Tensor) -> tf.Tensor:
        """Of the sample that comes `number`-th here, its number in the run."""
        return (start + number // per_batch) * batch + mine.start * size + number % per_batch

    dataset = tf.data.Dataset.counter().map(counter_of)
    workers = config.num_workers or tf.data.AUTOTUNE
    dataset = dataset.map(sample, num_parallel_calls=workers, deterministic=True)
    # padded_batch would fill the images before it copies them.
    dataset = dataset.ragged_batch(size, drop_remainder=True).map(_pad_faces)
    return dataset.prefetch(2 * len(mine))


def _pad_faces(batch: Batch) -> Batch:
    """Pads the faces of each image to the largest number in the batch."""
    return batch._replace(faces=Faces(*(part.to_tensor() for part in batch.faces)))


def sample_index(counter: tf.Tensor, num_images: int, seed: int) -> tf.Tensor:
    """Image of sample `counter` (int64 scalar): each epoch is a permutation of its own."""
    epoch, position = counter // num_images, counter % num_images
    key = tf.stack([tf.constant(seed, tf.int64), epoch])
    return tf.random.experimental.index_shuffle(
        position, key, tf.constant(num_images - 1, tf.int64)
    )


def images_of_batches(
    num_images: int, *, batch: int, seed: int, start: int, batches: int
) -> Iterator[int]:
    """Numbers of the images of so many batches from batch `start`, in their order."""
    for counter in range(start * batch, (start + batches) * batch):
        yield int(sample_index(tf.constant(counter, tf.int64), num_images, seed))


def explain_unreadable(
    records: Records, *, batch: int, seed: int, start: int, batches: int
) -> InputError | None:
    """Finds the image that stopped the pipeline somewhere in the `batches` from batch `start`."""
    for index in images_of_batches(
        len(records), batch=batch, seed=seed, start=start, batches=batches
    ):
        path = records.path(index)
        if reason := why_undecodable(str(path)):
            return InputError(f"{records.where(index)}: {path} cannot be decoded: {reason}")
    return None
