"""Examines data, a machine, or what a run kept: python -m retinaface_tf.doctor data | env | replay.

`data ROOT` examines the data set in ROOT, or that of `--cfg`: images that cannot be read, that EXIF
turns, that train and val share; faces and landmarks that cannot be right; which faces the anchors
cannot reach at `data.image_size`. It prints a summary and writes `data.json` and `data.html`, a
contact sheet, to `--out`. The exit code is 2 if something would hurt training.

`env` prints versions, devices and what might be installed, and how many images a second a run with
the config of `--cfg` gets from its input alone, from its step alone and from both together.

`replay FILE` prints the losses of each image of a batch that a run has skipped, by the weights kept
beside it, and the norm of the gradient; the exit code is 2 if any is not finite.
"""

import dataclasses
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError

IDLE = 0.05  # a share of waiting that is not worth a word

_SECONDS = flags.DEFINE_float("seconds", 10, "How long to measure each part.", lower_bound=0)
_OUT = flags.DEFINE_string("out", "doctor", "Folder of what `data` found, as JSON and HTML.")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["data", *root] if len(root) < 2:
            return examine_data(cli.read_config(), *root)
        case ["env"]:
            return examine_machine(cli.read_config())
        case ["replay", file]:
            return replay(Path(file))
    raise InputError(
        f"expected `data ROOT`, `env` or `replay FILE` after python -m retinaface_tf.doctor, "
        f"found {' '.join(arguments) or 'nothing'}"
    )


def examine_data(config: Config, root: str | None = None) -> int:
    cli.start_tensorflow()
    from retinaface_tf.data.contact_sheet import write_contact_sheet
    from retinaface_tf.data.diagnosis import summary
    from retinaface_tf.data.doctor import examine

    if root is not None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, root=root))
    diagnosis = examine(config)
    out = Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    found = json.dumps(diagnosis.as_dict(), indent=1)
    (out / "data.json").write_text(found + "\n", encoding="utf-8")
    write_contact_sheet(out / "data.html", diagnosis)
    print(summary(diagnosis))
    print(f"all findings: {out / 'data.json'}, pictures: {out / 'data.html'}")
    return cli.DOES_NOT_HOLD if diagnosis.hurts() else 0


def examine_machine(config: Config) -> int:
    cli.start_tensorflow()
    import tensorflow as tf

    from retinaface_tf.training.speed import measure_speed
    from retinaface_tf.training.summary import PACKAGES

    packages = [f"{name} {version(name)}" for name in PACKAGES]
    print(", ".join([f"Python {platform.python_version()}", *packages]))
    gpus = [gpu.name for gpu in tf.config.list_physical_devices("GPU")]
    print(f"{os.cpu_count()} CPUs, {', '.join(gpus) or 'no GPU'}")
    for line in advice(bool(gpus), shutil.which("nvidia-smi") is not None, _missing()):
        print(line)
    speed = measure_speed(config, _SECONDS.value)
    model = f"{config.model.backbone}, {config.model.precision}, batch {config.train.global_batch}"
    print(f"input alone    {speed.input:8.1f} images/s, {config.data.image_size} pixels")
    print(f"step alone     {speed.step:8.1f} images/s, {model}")
    print(
        f"both together  {speed.training:8.1f} images/s, {speed.input_wait:.0%} waiting for input"
    )
    print(verdict(speed.input / speed.step, speed.input_wait))
    return 0


def advice(has_gpu: bool, has_driver: bool, missing: Mapping[str, list[str]]) -> Iterator[str]:
    """What to install: for a GPU that is not seen, and of the extras, by what each misses."""
    if has_driver and not has_gpu:
        yield (
            "an NVIDIA driver is here, but TensorFlow sees no GPU: "
            "python -m pip install 'tensorflow[and-cuda]', as the extra `cuda` does"
        )
    for extra, packages in missing.items():
        names = " ".join(packages)
        yield f"extra `{extra}` is not installed: python -m pip install {names}"


def _missing() -> dict[str, list[str]]:
    """Packages of each extra that are not installed; only the names, without versions."""
    missing: dict[str, list[str]] = {}
    for requirement in requires("retinaface-tf") or ():
        found = re.match(r"([\w.-]+).*extra == [\"'](\w+)[\"']", requirement)
        if found and not _is_installed(found[1]):
            missing.setdefault(found[2], []).append(found[1])
    return missing


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def verdict(ratio: float, input_wait: float) -> str:
    """Which of the two a run waits for; `ratio` is how many such steps the input could feed."""
    if ratio < 1:
        return (
            f"bound by the input, which could feed {ratio:.1f} of such a step: it needs more CPU "
            f"cores, a faster disk, or smaller images on it"
        )
    if input_wait > IDLE:
        return (
            f"input and step take each other's CPU: alone, the input could feed {ratio:.1f} steps"
        )
    return f"bound by the step; the input could feed {ratio:.1f} of such a step"


def replay(file: Path) -> int:
    """Prints the losses of each image of a batch that a run kept, with the weights kept beside."""
    cli.start_tensorflow()
    import numpy as np

    from retinaface_tf.training.bad_batches import read_batch, read_network, replay_batch

    names, batch = read_batch(file)
    config = load_config(file.resolve().parent.parent / "config.yaml")
    losses, norm = replay_batch(read_network(file, config), batch, config)
    faces = batch.faces.valid.sum(axis=1)
    for i, name in enumerate(names):
        told = ", ".join(f"{part} {values[i]:.4g}" for part, values in losses.items())
        print(f"{name}: {faces[i]} faces, {told}")
    broken = np.count_nonzero(~np.isfinite(list(losses.values())).all(axis=0))
    print(f"{broken} of {len(names)} images have a loss that is not finite")
    print(f"the norm of the gradient is {norm:.4g}")
    return cli.DOES_NOT_HOLD if broken or not np.isfinite(norm) else 0


if __name__ == "__main__":
    cli.run(main)
