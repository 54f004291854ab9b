"""Puts the weights of a run into the package, with all that is known about them.

    python benchmarks/ship_weights.py RUN --name mobilenet025 --data data/widerface

Writes three files to retinaface_tf/model/weights/shipped: the weights (kernels in float16), the
config to detect with, and where the weights are from. AP is measured twice by each protocol, as
trained and as shipped, to show a loss through float16; the file has the latter. The run's training
images must still be where they were, as they are read for their hash. Prints the row of `retinaface
weights list`.
"""

import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config, DataConfig
from retinaface_tf.config_file import load_config
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError
from retinaface_tf.files import atomic_file, write_text
from retinaface_tf.model.weights.h5_file import write_checksum
from retinaface_tf.model.weights.zoo import ENTRY, FOLDER, LICENCE, Ap, NamedWeights

MAX_BYTES = 2_000_000

_NAME = flags.DEFINE_string("name", "mobilenet025", "Name of the weights.")
_AUTHOR = flags.DEFINE_string("author", "retinaface_tf", "Who trained them.")
_DATA = flags.DEFINE_string("data", "data/widerface", "The data set on whose val AP is measured.")
_PROTOCOLS = flags.DEFINE_list("protocols", "vga,original", "Protocols by which AP is measured.")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise InputError("expected the folder of a run: python benchmarks/ship_weights.py RUN")
    cli.start_tensorflow()
    from retinaface_tf.runtimes.opening import open_detector
    from retinaface_tf.runtimes.run_folder import load_network

    trained = open_detector(arguments[0])
    config = shipped_config(trained.config)
    weights = FOLDER / f"{_NAME.value}.weights.h5"
    write_half(Path(trained.source), weights)
    _, network = load_network(replace(config, eval=replace(config.eval, weights=str(weights))))
    ap, images = measure(trained.graph.network, network, config)
    entry = NamedWeights(
        name=_NAME.value,
        backbone=config.model.backbone,
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        ap=ap,
        ap_images=images,
        licence=LICENCE,
        author=_AUTHOR.value,
        date=date.today().isoformat(),
        recipe=recipe(trained.config),
        **provenance(trained.config, Path(trained.source)),
    )
    write_text(entry.config, yaml.safe_dump(config.as_dict(), sort_keys=False))
    content = ENTRY.dump_python(entry, mode="json")
    write_text(FOLDER / f"{entry.name}.json", json.dumps(content, indent=1) + "\n")
    print(entry)
    return 0


def shipped_config(config: Config) -> Config:
    """Returns a run's config without what belongs to the machine and data of the training."""
    packaged = load_config(config.model.backbone)
    return replace(
        config,
        data=replace(config.data, root=DataConfig().root, train_labels=DataConfig().train_labels),
        model=replace(config.model, pretrained=None, init=None, freeze=()),
        train=replace(config.train, workdir=packaged.train.workdir),
        eval=packaged.eval,
    )


def write_half(source: Path, destination: Path) -> None:
    """Copies a weights file, with its kernels in float16.

    Biases and batch norms stay, as they are few, and variances may be too large for float16.

    Raises:
        InputError: the file is too large for the package.
    """
    destination.parent.mkdir(exist_ok=True)
    with atomic_file(destination) as scratch:
        with h5py.File(source) as old, h5py.File(scratch, "w", libver="latest") as new:
            _copy_half(old, new)
            write_checksum(new)
        if (size := scratch.stat().st_size) > MAX_BYTES:
            raise InputError(
                f"{source}: {size:,} bytes with kernels in float16, expected {MAX_BYTES:,} at most"
            )


def _copy_half(old: h5py.Group, new: h5py.Group) -> None:
    new.attrs.update(old.attrs)
    for name, item in old.items():
        if isinstance(item, h5py.Group):
            _copy_half(item, new.create_group(name))
            continue
        numbers = item[()]
        new.create_dataset(name, data=numbers.astype(np.float16) if numbers.ndim > 1 else numbers)


def measure(trained: Any, shipped: Any, config: Config) -> tuple[dict[str, Ap], int]:
    """Measures the AP of the shipped network by protocol; prints that of both networks."""
    from retinaface_tf.api import evaluate
    from retinaface_tf.runtimes.network import NetworkDetector

    data = replace(config.data, root=_DATA.value)
    measured: dict[str, Ap] = {}
    for protocol in _PROTOCOLS.value:
        config = replace(config, data=data, eval=replace(config.eval, protocol=protocol))
        for name, network in (("as trained", trained), ("as shipped", shipped)):
            evaluation = evaluate(NetworkDetector(network, config), config)
            measured[protocol] = Ap(**evaluation.ap)
            print(f"{protocol}, {name}: {measured[protocol]}", flush=True)
    return measured, evaluation.images


def recipe(config: Config) -> str:
    """Describes a training in words."""
    model, train, schedule = config.model, config.train, config.schedule
    start = model.init or (f"the backbone {model.pretrained}" if model.pretrained else "nothing")
    return (
        f"{train.epochs} epochs at {config.data.image_size} px, batch {train.global_batch}, rate "
        f"{config.optimizer.learning_rate:g} by {schedule.lr_type}, from {Path(start).name}, seed "
        f"{train.seed}, anchors matched by {config.match.method}"
    )


def provenance(config: Config, weights: Path) -> dict[str, Any]:
    """Reads on what a run trained, and for how many steps until these weights.

    Raises:
        InputError: the labels are no longer those that the run had.
    """
    from retinaface_tf.data.dataset import training_set
    from retinaface_tf.runtimes.run_folder import BEST_FILE, BEST_WEIGHTS
    from retinaface_tf.training.run_json import RUN_FILE, data_hash
    from retinaface_tf.training.validation import Best

    workdir = Path(config.train.workdir)
    run = json.loads((workdir / RUN_FILE).read_text(encoding="utf-8"))
    records = training_set(config)
    if data_hash(records) != run["data_sha256"]:
        raise InputError(f"{records.label_file}: other labels than those of {workdir / RUN_FILE}")
    best = Best.load(workdir / BEST_FILE) if weights.name == BEST_WEIGHTS else None
    steps = int(weights.name.split(".")[0].removeprefix("step-")) if best is None else best.step
    return {
        "commit": run["git_commit"],
        "steps": steps,
        "images": len(records),
        "faces": len(records.boxes),
        "labels_sha256": run["data_sha256"],
        "images_sha256": images_hash(records),
    }


def images_hash(records: Records) -> str:
    """Returns the SHA-256 of the names and contents of images, in the labels' order."""
    digest = hashlib.sha256()
    for i, name in enumerate(records.images):
        digest.update(f"{name}\0".encode() + hashlib.sha256(records.path(i).read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    cli.run(main)
