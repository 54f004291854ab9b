"""Makes batches for training: a tf.data pipeline whose samples are functions of a counter.

Sample `c` of a run is image `shuffle(seed, epoch)[c mod I]`, augmented with the seed (seed, c), so
resuming means starting the counter elsewhere, and no iterator has to be saved.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import tensorflow as tf

from retinaface_tf.config import DataConfig
from retinaface_tf.data.augment import Source, augment
from retinaface_tf.data.decode import decode_window, open_image, why_undecodable
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.structures import Batch, Faces

# Numbers to which faces are padded for XLA, which compiles a step for each number of faces.
FACE_COUNTS = tuple(16 * 2**power for power in range(16))
READ_AHEAD = 8  # batches that the pipeline may be ahead of its reader


@dataclass(frozen=True)
class TrainingData:
    """Provides the endless batches of a run, each a function of its number.

    Attributes:
        records: images and faces to train on.
        config: image size, augmentation, threads.
        batch: images per global batch.
        seed: for the order of images and for augmentation.
        few_face_counts: pads the faces of an image to the next of FACE_COUNTS.
    """

    records: Records
    config: DataConfig
    batch: int
    seed: int
    few_face_counts: bool = False

    def batches(
        self, start: int = 0, *, replicas: int = 1, local: range = range(1)
    ) -> tf.data.Dataset:
        """Returns the batches from number `start` on, or the parts of them that one worker makes.

        Args:
            start: batches already seen.
            replicas: how many replicas share a batch.
            local: numbers of this worker's replicas, whose parts follow one another.

        Returns:
            A dataset of `Batch`: images uint8 [B / replicas, S, S, 3]; faces in fractions of the
            image, padded to the part's largest number of faces, or to the next of FACE_COUNTS.
        """
        size = self.batch // replicas
        local_size = size * len(local)

        @tf.autograph.experimental.do_not_convert
        def counter_of(number: tf.Tensor) -> tf.Tensor:
            """Returns the run's counter of the sample that is `number`-th here."""
            batch = start + number // local_size
            return batch * self.batch + local.start * size + number % local_size

        counters = tf.data.Dataset.counter().map(counter_of)
        threads = self.config.num_workers or tf.data.AUTOTUNE
        samples = counters.map(self._sample, num_parallel_calls=threads, deterministic=True)
        # padded_batch would fill the images before copying them.
        batches = samples.ragged_batch(size, drop_remainder=True).map(self._pad_faces)
        return batches.prefetch(2 * len(local))

    @cached_property
    def _sample(self) -> Callable[[tf.Tensor], Batch]:
        """Returns the function from a counter to its augmented image, a `Batch` without `B`.

        Tracing takes seconds, so it is done once for all data sets.
        """
        records, config = self.records, self.config
        paths = tf.constant([str(records.path(i)) for i in range(len(records))])
        splits = tf.constant(records.splits)
        faces = Faces(
            boxes=tf.constant(records.boxes),
            landmarks=tf.constant(records.landmarks),
            has_landmarks=tf.constant(records.has_landmarks),
            valid=tf.ones([len(records.boxes)], tf.bool),
        )

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.int64)])
        def sample(counter: tf.Tensor) -> Batch:
            index = sample_index(counter, len(records), self.seed)
            first, last = splits[index], splits[index + 1]
            image = open_image(tf.io.read_file(paths[index]))
            own = Faces(*(part[first:last] for part in faces))
            augmented = augment(
                Source(image.size, partial(decode_window, image), own),
                tf.stack([tf.constant(self.seed, tf.int64), counter]),
                config.augmentation,
                config.image_size,
            )
            return Batch(augmented.image, augmented.faces, index)

        return sample

    @tf.autograph.experimental.do_not_convert
    def _pad_faces(self, batch: Batch) -> Batch:
        """Pads faces to the largest number in the batch, or to the next of FACE_COUNTS."""
        faces = Faces(*(part.to_tensor() for part in batch.faces))
        if self.few_face_counts:
            most = tf.shape(faces.valid)[1]
            missing = tf.gather(FACE_COUNTS, tf.searchsorted(FACE_COUNTS, [most])[0]) - most
            faces = Faces(
                *(
                    tf.pad(part, [[0, 0], [0, missing]] + [[0, 0]] * (part.shape.rank - 2))
                    for part in faces
                )
            )
        return batch._replace(faces=faces)

    def images_of(self, start: int, count: int = 1) -> Iterator[int]:
        """Yields the indices of the images in `count` batches from batch `start`, in order."""
        for counter in range(start * self.batch, (start + count) * self.batch):
            yield int(sample_index(tf.constant(counter, tf.int64), len(self.records), self.seed))

    @contextmanager
    def explain(self, start: int, count: int) -> Iterator[None]:
        """Names the image that stopped the pipeline inside the block.

        Args:
            start: number of the first batch that the block takes.
            count: how many it takes.

        Raises:
            InputError: the block raised a TensorFlow error, and a sample cannot be made.
        """
        try:
            yield
        except tf.errors.OpError:
            fault = self.find_unreadable(start, count + READ_AHEAD)
            if fault is None:
                raise
            raise fault from None

    def find_unreadable(self, start: int, count: int) -> InputError | None:
        """Finds the first image of `count` batches from batch `start` that cannot be trained on."""
        images = list(self.images_of(start, count))
        for index in images:
            if reason := why_undecodable(str(self.records.path(index))):
                return self._unreadable(index, reason)
        # An image that can be decoded may still have no window to train on.
        for counter, index in enumerate(images, start * self.batch):
            try:
                self._sample(tf.constant(counter, tf.int64))
            except tf.errors.OpError as error:
                return self._unreadable(index, one_line(error))
        return None

    def _unreadable(self, index: int, reason: str) -> InputError:
        place, path = self.records.where(index), self.records.path(index)
        return InputError(f"{place}: {path} cannot be decoded: {reason}")


def sample_index(counter: tf.Tensor, num_images: int, seed: int) -> tf.Tensor:
    """Returns the image of sample `counter` (int64 scalar); each epoch has its own permutation."""
    epoch, position = counter // num_images, counter % num_images
    key = tf.stack([tf.constant(seed, tf.int64), epoch])
    return tf.random.experimental.index_shuffle(
        position, key, tf.constant(num_images - 1, tf.int64)
    )
