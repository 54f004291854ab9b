"""The loop: trains, reports, validates and saves, until the last epoch or a SIGTERM."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import IntEnum
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.pipeline import explain_unreadable, training_batches
from retinaface_tf.errors import InputError, LostWorkerError, one_line
from retinaface_tf.structures import Batch
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.cluster import find_cluster
from retinaface_tf.training.devices import of_each_replica
from retinaface_tf.training.pictures import picture_targets
from retinaface_tf.training.progress import Progress
from retinaface_tf.training.run import Run, describe, prepare
from retinaface_tf.training.run_files import logged, write_summary
from retinaface_tf.training.step import TrainStep

log = logging.getLogger(__name__)


def train(config: Config, *, resume: bool = True) -> bool:
    """Trains until the last epoch, or until SIGTERM asks to stop.

    Returns:
        Whether the run is complete; if not, all is saved and the same call goes on.

    Raises:
        InputError: whatever the user can mend.
        LostWorkerError: there were several workers, and one is gone; the same call goes on.
    """
    cluster = find_cluster(config.train)
    if not cluster.is_chief:
        logging.getLogger("retinaface_tf").setLevel(logging.WARNING)  # the chief tells it all
    try:
        run = prepare(config, cluster, resume=resume)
        with logged(Path(config.train.workdir)) if cluster.is_chief else nullcontext():
            return _resume(run)
    except tf.errors.OpError as error:
        # Memory that is short is this worker's own, and would be short again.
        if cluster.is_alone or isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        reason = one_line(error)
        raise LostWorkerError(
            f"worker {cluster.index + 1} of {cluster.size}: lost another; start all again, and "
            f"they go on from the last checkpoint ({reason})"
        ) from None


def _resume(run: Run) -> bool:
    """Trains from the newest checkpoint, or from the beginning."""
    start = run.checkpoints.restore()
    _check_workers_agree(run, start)
    if run.cluster.is_chief:
        write_summary(run.config, run.records, run.strategy, start)
    describe(run, start)
    return train_from(run, start)


def _check_workers_agree(run: Run, start: int) -> None:
    """Refuses workers that are about to train from different checkpoints."""
    if run.cluster.is_alone:
        return
    starts = of_each_replica(run.strategy, start)
    if (starts != start).any():
        raise InputError(
            f"{run.config.train.workdir}: the workers found checkpoints of steps "
            f"{', '.join(f'{step:.0f}' for step in sorted(set(starts)))}; expected one folder that "
            f"all of them share"
        )


class Verdict(IntEnum):
    """What is next after a step. Of several workers' verdicts the highest holds for all."""

    GO_ON = 0
    STOP = 1  # as SIGTERM asks
    DONE = 2


def train_from(run: Run, start: int) -> bool:
    """Trains from step `start`; returns whether the run is complete."""
    stop = _StopSignal()
    is_chief = run.cluster.is_chief
    bad = BadBatches(run.config, run.records, run.network, keeps=is_chief)
    save_due, verdict = False, Verdict.DONE
    with Progress(
        run.config, start, run.rates, run.steps_per_epoch, bad, shows=is_chief
    ) as progress:
        if start and run.validation_due(start):
            _validate(run, start, progress)  # if it was stopped before it had
        if run.highest(run.is_stale):
            return True
        if is_chief and start < run.total_steps:
            with _naming_images(run, start):
                progress.show("targets", picture_targets(_first_batch(run, start), run.config))
        for done, metrics in _steps(run, start):
            progress.update(done, metrics)
            # Before validation too, which may take longer than one has after a SIGTERM.
            save_due = save_due or run.checkpoint_due(done) or run.validation_due(done)
            save_due = save_due and not _save(run, done, progress)
            verdict = Verdict(run.highest(_verdict(run, done, progress, stop)))
            if verdict > Verdict.GO_ON:
                break
        if verdict is Verdict.STOP:
            _save(run, done, progress)
            _tell_of_stop(done, lost=bad.in_a_row)
    return verdict is Verdict.DONE


def _save(run: Run, done: int, progress: Progress) -> bool:
    """Saves, unless in a row of skipped steps: what led to it may be in the weights, then wait."""
    progress.report(done)
    if progress.bad.in_a_row and done < run.total_steps:
        return False
    run.checkpoints.save()
    return True


def _verdict(run: Run, done: int, progress: Progress, stop: "_StopSignal") -> Verdict:
    """Validates if that is due, and says what is next as far as this worker knows."""
    is_last = done == run.total_steps
    # A run that stops has no time to validate: it does so when it goes on.
    if run.validation_due(done) and (is_last or not stop.asked):
        _validate(run, done, progress)
        if run.is_stale:
            log.info("no better AP for %d measurements: done", run.config.train.early_stop)
            return Verdict.DONE
    if is_last:
        return Verdict.DONE
    return Verdict.STOP if stop.asked else Verdict.GO_ON


def _validate(run: Run, done: int, progress: Progress) -> None:
    """Measures AP, on the chief, unless that was done at this step."""
    if run.validation is None or run.validation.last_measured >= done:
        return
    progress.report(done)
    progress.validated(done, run.validation.measure(run.network, run.optimizer, done))
    progress.show("detections", run.validation.pictures)


def _tell_of_stop(done: int, *, lost: int) -> None:
    told = "all saved; the same command goes on"
    if lost:
        told = f"in a row of {lost} skipped; the same command goes on from the last checkpoint"
    log.info("stopped at step %d, %s", done, told)


def _steps(run: Run, start: int) -> Iterator[tuple[int, dict[str, tf.Tensor]]]:
    """Trains, and yields now and then the number of steps done and what the last ones told."""
    batches = run.batches(start)
    step = TrainStep(run.network, run.optimizer, run.config, run.strategy, batches.element_spec)
    done = start
    iterator = iter(batches)
    while done < run.total_steps:
        count = run.next_steps(done)
        with _naming_images(run, done):
            metrics = step.several(iterator, count)
        done += count
        yield done, metrics


def _first_batch(run: Run, start: int) -> Batch:
    batches = training_batches(run.records, run.config.data, **run.order, start=start)
    return next(iter(batches.take(1)))


@contextmanager
def _naming_images(run: Run, done: int) -> Iterator[None]:
    """Where the pipeline stops after so many steps, names the image that cannot be read."""
    try:
        yield
    except tf.errors.OpError:
        # It runs a few batches ahead of the step that hears of it.
        ahead = run.config.train.steps_per_call + 8
        fault = explain_unreadable(run.records, **run.order, start=done, batches=ahead)
        if fault is None:
            raise
        raise fault from None


class _StopSignal:
    """Remembers a SIGTERM until the step at hand is done."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True
