"""What one sees of a run: a bar on a terminal, lines in a log, curves in TensorBoard."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from retinaface_tf.config import Config
from retinaface_tf.drawing import Picture
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.step import INPUT_WAIT, METRICS

log = logging.getLogger(__name__)


class Progress:
    """Counts time and images between two reports, `train.log_steps` apart."""

    def __init__(
        self,
        config: Config,
        start: int,
        rates: NDArray[np.float64],
        steps_per_epoch: int,
        bad: BadBatches,
        *,
        shows: bool = True,
    ):
        """Shows nothing unless `shows`: of several workers, one does."""
        self.config, self.rates, self.steps_per_epoch = config, rates, steps_per_epoch
        self.bad = bad
        self.total = len(rates)
        self.folder = str(Path(config.train.workdir) / "tensorboard")
        with self._telling_of_folder():
            self.writer = (
                tf.summary.create_file_writer(self.folder)
                if shows
                else tf.summary.create_noop_writer()
            )
        on_terminal = shows and sys.stderr.isatty()
        self.bar = tqdm(total=self.total, initial=start, unit="step") if on_terminal else None
        self._restart(start)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        with self._telling_of_folder():
            self.writer.close()

    def update(self, done: int, metrics: dict[str, tf.Tensor]) -> None:
        """Notes what `TrainStep.several` told, up to step `done`, and reports it if that is due."""
        self.untold.append(metrics)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        if done % self.config.train.log_steps == 0 or done == self.total:
            self.report(done)

    def report(self, done: int) -> None:
        """Reports the steps since the last report.

        Raises:
            InputError: too many of them were skipped in a row, or TensorBoard's folder cannot be
                written.
        """
        if not self.untold:
            return
        told = {
            name: np.concatenate([metrics[name].numpy() for metrics in self.untold])
            for name in (*METRICS, INPUT_WAIT)
        }
        self.bad.examine(done + 1 - len(told[INPUT_WAIT]), told)
        values = {name: float(told[name][-1]) for name in METRICS}
        elapsed = time.perf_counter() - self.since
        images = (done - self.last) * self.config.train.global_batch
        values["positives"] /= self.config.train.global_batch
        values["learning_rate"] = float(self.rates[done - 1])
        values["images_per_second"] = images / elapsed
        values[INPUT_WAIT] = float(told[INPUT_WAIT].sum()) / elapsed
        values["skipped"] = self.bad.count
        self._write(done, values)
        self._print(done, values)
        self._restart(done)

    def validated(self, done: int, ap: dict[str, float]) -> None:
        """Reports AP by set after `done` steps."""
        self._write(done, {f"ap/{name}": value for name, value in ap.items()})
        text = ", ".join(f"{name} {value:.4f}" for name, value in ap.items())
        with logging_redirect_tqdm():
            log.info("epoch %d AP %s", done // self.steps_per_epoch, text)
        self._restart(done)

    def show(self, name: str, pictures: list[Picture]) -> None:
        """Puts pictures, which may differ in size, into TensorBoard."""
        with self._telling_of_folder(), self.writer.as_default(step=self.last):
            for number, picture in enumerate(pictures):
                tf.summary.image(f"{name}/{number}", picture[None])

    def _restart(self, done: int) -> None:
        self.last, self.since = done, time.perf_counter()
        self.untold: list[dict[str, tf.Tensor]] = []

    def _write(self, done: int, values: dict[str, float]) -> None:
        with self._telling_of_folder(), self.writer.as_default(step=done):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    @contextmanager
    def _telling_of_folder(self) -> Iterator[None]:
        """Events go to the disk as a writer is left, or made, or closed."""
        try:
            yield
        except tf.errors.OpError as error:
            reason = one_line(error)
            raise InputError(
                f"{self.folder}: events cannot be written, the last checkpoint is kept: {reason}"
            ) from None

    def _print(self, done: int, values: dict[str, float]) -> None:
        epoch = (done - 1) // self.steps_per_epoch + 1
        losses = (
            f"loss {values['loss']:.3f} (boxes {values['loss/boxes']:.3f}, "
            f"scores {values['loss/scores']:.3f}, landmarks {values['loss/landmarks']:.3f})"
        )
        speed = f"{values['images_per_second']:.1f} images/s, {values[INPUT_WAIT]:.0%} waiting"
        if self.bar is not None:
            self.bar.set_description(f"epoch {epoch}")
            self.bar.set_postfix_str(f"{losses}, {speed}")
        left = (self.total - done) * self.config.train.global_batch / values["images_per_second"]
        log.log(
            logging.INFO if self.bar is None else logging.DEBUG,
            "epoch %d step %d/%d %s lr %.2e, %s, %s left",
            *(epoch, done, self.total, losses, values["learning_rate"], speed),
            tqdm.format_interval(left),
        )
