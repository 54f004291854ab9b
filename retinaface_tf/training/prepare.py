"""Builds a run from its config."""

import logging
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from retinaface_tf.config import Config, TrainConfig
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.pipeline import TrainingData
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError
from retinaface_tf.files import check_literal
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights.files import load_weights
from retinaface_tf.runtimes.locate import CHECKPOINTS
from retinaface_tf.runtimes.run_folder import BEST_FILE, saved_checkpoints
from retinaface_tf.training.checkpoint import Checkpoints
from retinaface_tf.training.cluster import ALONE, Cluster
from retinaface_tf.training.devices import make_strategy, wait_for_all
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.run import Run
from retinaface_tf.training.schedule import learning_rates
from retinaface_tf.training.validation import Validation

log = logging.getLogger(__name__)


def prepare(config: Config, cluster: Cluster = ALONE) -> Run:
    """Reads labels and builds everything that a run needs on one of its workers.

    Raises:
        InputError: labels, images, weights or devices are missing or unsuitable.
    """
    strategy = make_strategy(config.train, cluster)  # before anything else uses a device
    records = _read_chief_first(config, cluster, strategy)
    config = fit_batch(config, len(records), strategy.num_replicas_in_sync)
    data = _training_data(config, records)
    steps_per_epoch = len(data.records) // data.batch
    keras.utils.set_random_seed(config.train.seed)
    rates = learning_rates(config, steps_per_epoch)
    with strategy.scope():
        network = _initial_network(config)
        optimizer = make_optimizer(config.optimizer, rates)
        optimizer.build(network.trainable_variables)
    validates = config.train.validate_epochs > 0 and cluster.is_chief
    return Run(
        config=config,
        cluster=cluster,
        data=data,
        strategy=strategy,
        network=network,
        optimizer=optimizer,
        checkpoints=Checkpoints(config, network, optimizer, is_chief=cluster.is_chief),
        validation=Validation(config) if validates else None,
        rates=rates,
        steps_per_epoch=steps_per_epoch,
    )


def check_workdir(workdir: Path, *, resume: bool) -> None:
    """Checks that a folder, which need not exist yet, can hold a run.

    Raises:
        InputError: TensorFlow cannot use such a path, or the folder already holds something.
    """
    check_literal(workdir)
    if not resume and (workdir / CHECKPOINTS).exists():
        raise InputError(
            f"{workdir}: holds a run, which --noresume does not overwrite; move it away"
        )
    if (workdir / BEST_FILE).exists() and not saved_checkpoints(workdir):
        raise InputError(
            f"{workdir / BEST_FILE}: left by a run whose checkpoints are gone; move it away"
        )


def _training_data(config: Config, records: Records) -> TrainingData:
    train = config.train
    _check_fills_a_batch(records, train)
    return TrainingData(
        records, config.data, train.global_batch, train.seed, few_face_counts=train.xla
    )


def fit_batch(config: Config, images: int, replicas: int) -> Config:
    """Halves the batch until an epoch has `train.min_epoch_steps`, while devices can share it."""
    train, shares = config.train, replicas * config.train.accumulate
    batch = train.batch_per_device
    while (
        images // (batch * train.num_devices) < train.min_epoch_steps
        and batch % 2 == 0
        and (batch // 2 * train.num_devices) % shares == 0
    ):
        batch //= 2
    if batch < train.batch_per_device:
        message = "%d images: train.batch_per_device is %d instead of %d, for %d steps per epoch"
        steps = images // (batch * train.num_devices)
        log.info(message, images, batch, train.batch_per_device, steps)
    return replace(config, train=replace(train, batch_per_device=batch))


def _check_fills_a_batch(records: Records, train: TrainConfig) -> None:
    """Checks that there are enough images for one step per epoch."""
    images = len(records)
    if images >= train.global_batch:
        return
    largest = images // train.num_devices
    setting = f"train.batch_per_device={largest} at most"
    if not largest:
        setting = f"train.num_devices=1 and train.batch_per_device={images} at most"
    raise InputError(
        f"{records.label_file}: {images} images to train on, expected at least a global batch of "
        f"{train.global_batch}" + (f"; set {setting}" if images else "")
    )


def _read_chief_first(
    config: Config, cluster: Cluster, strategy: tf.distribute.Strategy
) -> Records:
    """Reads the training set, on the chief first, as the set may have to be drawn."""
    if not cluster.is_chief:
        wait_for_all(strategy)
    records = training_set(config)
    if cluster.is_chief and not cluster.is_alone:
        wait_for_all(strategy)
    return records


def _initial_network(config: Config) -> keras.Model:
    """Builds the network, with the weights that the config names if the run is not resumed."""
    network = build_network(config)
    if saved_checkpoints(Path(config.train.workdir)):
        return network
    if config.model.freeze and config.model.init is None and config.model.pretrained is None:
        raise InputError(
            "model.freeze: would freeze random weights; set model.pretrained or model.init, too"
        )
    if config.model.init is not None:
        load_weights(network, config.model.init)
    elif config.model.pretrained is not None:
        backbone = build_backbone(config.model)
        load_weights(backbone, config.model.pretrained)
        for layer in backbone.layers:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    return network
