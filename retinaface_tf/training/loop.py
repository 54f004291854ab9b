"""Trains, reports, validates and saves in a loop, until the last epoch or a signal."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError, LostWorkerError, one_line
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.cluster import find_cluster
from retinaface_tf.training.leftovers import remove_leftovers
from retinaface_tf.training.lock import locked
from retinaface_tf.training.log_file import logged
from retinaface_tf.training.prepare import check_workdir, prepare
from retinaface_tf.training.progress import Progress
from retinaface_tf.training.run import Run, log_settings
from retinaface_tf.training.run_json import warn_of_other_data, write_run_json
from retinaface_tf.training.step import TrainStep
from retinaface_tf.training.stopping import Decision, StopSignal, decide
from retinaface_tf.training.tensorboard_images import draw_targets

log = logging.getLogger(__name__)


def train(config: Config, *, resume: bool = True) -> bool:
    """Trains until the last epoch, or until a signal stops the run.

    Args:
        config: of the run.
        resume: continues from the newest checkpoint in the workdir; False refuses a workdir that
            has checkpoints.

    Returns:
        Whether the run is complete; if not, all is saved and the same call continues the run.

    Raises:
        InputError: data, config, weights, workdir or devices cannot be used as they are.
        LostWorkerError: one of several workers was lost; the same call continues the run.
        StoppedError: a signal stopped the run before its first step.
    """
    cluster = find_cluster(config.train)
    if not cluster.is_chief:
        logging.getLogger("retinaface_tf").setLevel(logging.WARNING)  # the chief logs for all
    workdir = Path(config.train.workdir)
    check_workdir(workdir, resume=resume)
    try:
        with StopSignal() as stop, locked(workdir) if cluster.is_chief else nullcontext():
            run = prepare(config, cluster)
            with logged(workdir) if cluster.is_chief else nullcontext():
                return _resume(run, stop)
    except tf.errors.OpError as error:
        # It is this worker that is out of memory, and it would be again.
        if cluster.is_alone or isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        reason = one_line(error)
        raise LostWorkerError(
            f"worker {cluster.index + 1} of {cluster.size}: lost another worker; restart all, and "
            f"they resume from the last checkpoint ({reason})"
        ) from None


def _resume(run: Run, stop: StopSignal) -> bool:
    """Trains from the newest checkpoint, or from the beginning."""
    if run.cluster.is_chief:
        remove_leftovers(Path(run.config.train.workdir))
    start = run.checkpoints.restore()
    _check_workers_agree(run, start)
    if run.cluster.is_chief:
        if start:
            warn_of_other_data(run.config, run.data.records)
        write_run_json(run.config, run.data.records, run.strategy, start)
    log_settings(run, start)
    return train_from(run, start, stop)


def _check_workers_agree(run: Run, start: int) -> None:
    """Refuses to train if workers have found different checkpoints."""
    starts = run.gather([start])[:, 0]
    if (starts != start).any():
        raise InputError(
            f"{run.config.train.workdir}: the workers found checkpoints of steps "
            f"{', '.join(f'{step:.0f}' for step in sorted(set(starts)))}; expected one folder that "
            f"all of them share"
        )


def train_from(run: Run, start: int, stop: StopSignal) -> bool:
    """Trains from step `start`; returns whether the run is complete."""
    done, save_due = start, False
    bad = BadBatches(run.config, run.data, run.network, is_chief=run.cluster.is_chief)
    with Progress(run, start, bad) as progress:
        if start:
            _validate_if_due(run, start, progress)  # a stopped run may not have validated
        elif run.config.model.init is not None and run.validation_due(0):
            _measure_beginning(run, progress)
        if run.cluster.is_chief and start < run.total_steps:
            _show_targets(run, start, progress)
        steps = _steps(run, start)
        stop.defer()
        while (decision := _decide(run, done, stop)) is Decision.GO_ON:
            done, metrics = next(steps)
            progress.update(done, metrics)
            # Also before validation, which may take longer than there is time after a signal.
            save_due = save_due or run.checkpoint_due(done) or run.validation_due(done)
            save_due = save_due and not _save(run, done, progress)
            if done == run.total_steps or not stop.asked:  # a stopping run has no time to validate
                _validate_if_due(run, done, progress)
        if decision is Decision.STOP and done > start:
            _save(run, done, progress)
    if decision is Decision.STOP:
        _log_stop(done, skipped=bad.in_a_row)
    return decision is Decision.DONE


def _measure_beginning(run: Run, progress: Progress) -> None:
    """Measures the AP of a run's initial weights, which may remain its best.

    A checkpoint of step 0 is saved first, as before every measurement.
    """
    run.checkpoints.save()
    _validate_if_due(run, 0, progress)


def _decide(run: Run, done: int, stop: StopSignal) -> Decision:
    """Decides with all workers what to do after `done` steps."""
    if run.is_stale:
        log.info("no better AP in %d measurements: stopping early", run.config.train.early_stop)
    is_complete = done >= run.total_steps or run.is_stale  # beyond it if train.epochs was lowered
    complete, stop_asked = run.gather([is_complete, stop.asked]).T.astype(bool)
    return decide(complete, stop_asked)


def _save(run: Run, done: int, progress: Progress) -> bool:
    """Saves a checkpoint and returns True, unless the last steps were skipped.

    The weights may be what made steps fail, so the checkpoint waits for a good step.

    Raises:
        InputError: the run is at its end, and most of its steps were skipped.
    """
    progress.report(done)
    if progress.bad.in_a_row and done < run.total_steps:
        return False
    progress.bad.check_end()
    run.checkpoints.save()
    return True


def _validate_if_due(run: Run, done: int, progress: Progress) -> None:
    """Measures AP after `done` steps, on the chief, unless it was measured already."""
    validation = run.validation
    if validation is None or not run.validation_due(done) or validation.has_measured(done):
        return
    progress.report(done)
    ap, images = validation.measure(run.network, run.optimizer, done)
    progress.report_ap(done, ap, validation.best.step if validation.best else done)
    progress.write_images("detections", images)


def _show_targets(run: Run, start: int, progress: Progress) -> None:
    """Writes images of the first batch with their targets to TensorBoard."""
    with run.data.explain(start, 1):
        batch = next(iter(run.data.batches(start).take(1)))
    progress.write_images("targets", draw_targets(batch, run.config))


def _steps(run: Run, start: int) -> Iterator[tuple[int, dict[str, tf.Tensor]]]:
    """Trains; yields the number of steps done, and the metrics of steps since the last yield."""
    batches = run.batches(start)
    step = TrainStep(run.network, run.optimizer, run.config, run.strategy, batches.element_spec)
    done = start
    iterator = iter(batches)
    while done < run.total_steps:
        count = run.next_steps(done)
        with run.data.explain(done, count):
            metrics = step.several(iterator, count)
        done += count
        yield done, metrics


def _log_stop(done: int, *, skipped: int) -> None:
    state = "all saved; the same command resumes the run"
    if skipped:
        state = f"after {skipped} skipped steps; the same command resumes from the last checkpoint"
    log.info("stopped at step %d, %s", done, state)
