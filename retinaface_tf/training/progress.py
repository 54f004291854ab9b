"""Shows a run's progress: a bar on a terminal, lines in a log, curves and images in TensorBoard."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from retinaface_tf.drawing import Picture
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.run import Run
from retinaface_tf.training.step import INPUT_WAIT, METRICS, TERM_METRICS

# Fits into 80 columns; tqdm would first drop the bar, then cut the end of the line.
BAR_FORMAT = "{desc}|{bar:10}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"

log = logging.getLogger(__name__)


class Progress:
    """Collects metrics and time between reports, `train.log_steps` apart."""

    def __init__(self, run: Run, start: int, bad: BadBatches):
        """Begins at step `start`; of several workers, only the chief shows anything.

        Raises:
            InputError: TensorBoard's folder cannot be written.
        """
        self.run, self.bad = run, bad
        self.folder = str(Path(run.config.train.workdir) / "tensorboard")
        is_chief = run.cluster.is_chief
        with self._refuse_unwritable():
            self.writer = (
                tf.summary.create_file_writer(self.folder)
                if is_chief
                else tf.summary.create_noop_writer()
            )
        on_terminal = is_chief and sys.stderr.isatty()
        bar = {"bar_format": BAR_FORMAT, "dynamic_ncols": True}
        self.bar = tqdm(total=run.total_steps, initial=start, **bar) if on_terminal else None
        self._restart(start)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        with self._refuse_unwritable():
            self.writer.close()

    def update(self, done: int, metrics: dict[str, tf.Tensor]) -> None:
        """Takes the metrics of `TrainStep.several` up to step `done`; makes a report if due."""
        self.pending.append(metrics)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        if done % self.run.config.train.log_steps == 0 or done == self.run.total_steps:
            self.report(done)

    def report(self, done: int) -> None:
        """Reports the steps since the last report.

        Raises:
            InputError: too many steps were skipped in a row, or TensorBoard's folder cannot be
                written.
        """
        if not self.pending:
            return
        metrics = {
            name: np.concatenate([steps[name].numpy() for steps in self.pending])
            for name in (*METRICS, INPUT_WAIT)
        }
        self.bad.examine(self.last + 1, metrics)
        elapsed = time.perf_counter() - self.since
        batch = self.run.data.batch
        values = {name: float(metrics[name][-1]) for name in METRICS}
        values["positives"] /= batch
        values["learning_rate"] = float(self.run.rates[done - 1])
        values["images_per_second"] = (done - self.last) * batch / elapsed
        values[INPUT_WAIT] = float(metrics[INPUT_WAIT].sum()) / elapsed
        values["skipped"] = self.bad.count
        self._write(done, values)
        self._print(done, values)
        self._restart(done)

    def report_ap(self, done: int, ap: dict[str, float], best: int) -> None:
        """Reports AP by set after `done` steps, and when AP was best."""
        self._write(done, {f"ap/{name}": value for name, value in ap.items()})
        text = ", ".join(f"{name} {value:.4f}" for name, value in ap.items())
        with logging_redirect_tqdm():
            log.info("%s AP %s (best: %s)", self._when(done), text, self._when(best))
        self._restart(done)

    def _when(self, done: int) -> str:
        return f"epoch {done // self.run.steps_per_epoch}" if done else "before the first step"

    def write_images(self, name: str, images: list[Picture]) -> None:
        """Writes images, which may differ in size, to TensorBoard."""
        with self._refuse_unwritable(), self.writer.as_default(step=self.last):
            for number, image in enumerate(images):
                tf.summary.image(f"{name}/{number}", image[None])

    def _restart(self, done: int) -> None:
        self.last, self.since = done, time.perf_counter()
        self.pending: list[dict[str, tf.Tensor]] = []

    def _write(self, done: int, values: dict[str, float]) -> None:
        with self._refuse_unwritable(), self.writer.as_default(step=done):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    @contextmanager
    def _refuse_unwritable(self) -> Iterator[None]:
        """Turns an error of the writer into one line that names its folder.

        Events are written to disk when a writer is made, left or closed.
        """
        try:
            yield
        except tf.errors.OpError as error:
            reason = one_line(error)
            raise InputError(
                f"{self.folder}: events cannot be written, the last checkpoint is kept: {reason}"
            ) from None

    def _print(self, done: int, values: dict[str, float]) -> None:
        epoch, total = (done - 1) // self.run.steps_per_epoch + 1, self.run.total_steps
        terms = ", ".join(f"{name} {values[key]:.3f}" for name, key in TERM_METRICS.items())
        loss, speed = f"loss {values['loss']:.3f}", f"{values['images_per_second']:.1f} images/s"
        if self.bar is not None:
            self.bar.set_description_str(f"epoch {epoch} ", refresh=False)
            self.bar.set_postfix_str(f"{speed}, {loss}")
        left = (total - done) * self.run.data.batch / values["images_per_second"]
        log.log(
            logging.INFO if self.bar is None else logging.DEBUG,
            "epoch %d step %d/%d %s (%s) lr %.2e, %s, %.0f%% waiting, %s left",
            *(epoch, done, total, loss, terms, values["learning_rate"], speed),
            *(100 * values[INPUT_WAIT], tqdm.format_interval(left)),
        )
