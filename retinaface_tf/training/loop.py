"""The loop: trains, reports, validates and saves, until the last epoch or a SIGTERM."""

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.pipeline import explain_unreadable, training_batches
from retinaface_tf.errors import InputError
from retinaface_tf.structures import Batch
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.progress import Progress
from retinaface_tf.training.run import Run, describe, prepare
from retinaface_tf.training.step import TrainStep
from retinaface_tf.training.summary import logged, write_summary

log = logging.getLogger(__name__)


def train(config: Config, *, resume: bool = True) -> bool:
    """Trains until the last epoch, or until SIGTERM asks to stop.

    Returns:
        Whether the run is complete; if not, all is saved and the same call goes on.

    Raises:
        InputError: whatever the user can mend.
    """
    run = prepare(config, resume=resume)
    with logged(Path(config.train.workdir)):
        start = run.checkpoints.restore()
        write_summary(config, run.records, run.strategy, start)
        describe(run, start)
        return _train(run, start)


def _train(run: Run, start: int) -> bool:
    """Trains from step `start`; see above."""
    stop = _StopSignal()
    bad = BadBatches(run.config, run.records, run.network)
    save_due = False
    with Progress(run.config, start, run.rates, run.steps_per_epoch, bad) as progress:
        for done, metrics in _steps(run, start, progress.show):
            progress.update(done, metrics)
            is_last = done == run.total_steps
            # A run that stops has no time to validate; one that ends has no other time.
            may_validate = is_last or not stop.asked
            if run.validation is not None and run.validation_due(done) and may_validate:
                progress.report(done)
                ap = run.validation.measure(run.network, run.optimizer, done)
                progress.validated(done, ap)
            stopping = stop.asked  # after validation, since a signal may have come meanwhile
            save_due = save_due or run.checkpoint_due(done)
            if save_due or stopping:
                progress.report(done)
                # In a row of skipped steps, what led to it may be in the weights: then wait.
                if is_last or not bad.in_a_row:
                    run.checkpoints.save()
                    save_due = False
            if stopping and not is_last:
                _tell_of_stop(done, lost=bad.in_a_row)
                return False
    return True


def _tell_of_stop(done: int, *, lost: int) -> None:
    told = "all saved; the same command goes on"
    if lost:
        told = f"in a row of {lost} skipped; the same command goes on from the last checkpoint"
    log.info("stopped at step %d, %s", done, told)


def _steps(
    run: Run, start: int, show: Callable[[Batch], None]
) -> Iterator[tuple[int, dict[str, tf.Tensor]]]:
    """Trains, and yields now and then the number of steps done and what the last ones told.

    Shows the first batch.
    """
    train = run.config.train
    batches = training_batches(
        run.records,
        run.config.data,
        batch=train.global_batch,
        seed=train.seed,
        start=start,
    )
    shared = run.strategy.experimental_distribute_dataset(batches)
    step = TrainStep(run.network, run.optimizer, run.config, run.strategy, shared.element_spec)
    done = start
    try:
        for batch in batches.take(1 if start < run.total_steps else 0):
            show(batch)
        iterator = iter(shared)
        while done < run.total_steps:
            count = run.next_steps(done)
            metrics = step.several(iterator, count)
            done += count
            yield done, metrics
    except tf.errors.OpError:
        fault = _unreadable(run, done)
        if fault is None:
            raise
        raise fault from None


def _unreadable(run: Run, done: int) -> InputError | None:
    """The image, if there is one, that stopped the pipeline after so many steps."""
    train = run.config.train
    return explain_unreadable(
        run.records,
        batch=train.global_batch,
        seed=train.seed,
        start=done,
        # It runs a few batches ahead of the step that hears of it.
        batches=train.steps_per_call + 8,
    )


class _StopSignal:
    """Remembers a SIGTERM until the step at hand is done."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True
