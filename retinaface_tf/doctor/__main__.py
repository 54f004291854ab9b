"""Examines data, a machine, or a bad batch: python -m retinaface_tf.doctor data | env | replay.

`data ROOT` examines the data set in ROOT, or that of `--cfg`. It finds images that cannot be read,
that EXIF turns, or that are in both train and val; faces and landmarks that cannot be right; and
faces that anchors cannot match at `data.image_size`. It prints a summary and writes `data.json` and
`data.html`, a contact sheet, to `--out`. The exit code is 2 if something blocks training.

`env` prints versions, devices and what could be installed, and how many images per second a run
with the config of `--cfg` gets from the input alone, the step alone, and both together.
`env --seconds 0` prints what a bug report needs, without data.

`replay FILE` prints the losses of each image in a batch that a run has skipped, with the weights
kept beside the batch, and the norm of the gradient. The exit code is 2 if any is not finite.
"""

import dataclasses
import shlex
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import config_arguments, read_config
from retinaface_tf.errors import DOES_NOT_HOLD, InputError
from retinaface_tf.printing import say

_SECONDS = flags.DEFINE_float(
    "seconds", 10, "Seconds to measure each part; 0 measures no speed.", lower_bound=0
)
_OUT = flags.DEFINE_string("out", "doctor", "Folder for the findings of `data`, as JSON and HTML.")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["data", *root] if len(root) < 2:
            return _examine_data(read_config(), *root)
        case ["env"]:
            return _examine_machine(read_config())
        case ["replay", file]:
            return _replay(Path(file))
    raise InputError(
        f"expected `data ROOT`, `env` or `replay FILE` after python -m retinaface_tf.doctor, "
        f"found {' '.join(arguments) or 'nothing'}"
    )


def _examine_data(config: Config, root: str | None = None) -> int:
    cli.start_tensorflow()
    from retinaface_tf.doctor.contact_sheet import write_contact_sheet
    from retinaface_tf.doctor.data import examine

    if root is not None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, root=root))
    diagnosis = examine(config)
    out = Path(_OUT.value)
    diagnosis.save(out / "data.json")
    write_contact_sheet(out / "data.html", diagnosis)
    say(diagnosis)
    say(f"all findings: {out / 'data.json'}, pictures: {out / 'data.html'}")
    if diagnosis.blocking():
        return DOES_NOT_HOLD
    command = ["python", "-m", "retinaface_tf.training", *config_arguments()]
    say(f"next: {shlex.join([*command, '--set', f'data.root={config.data.root}'])}")
    return 0


def _examine_machine(config: Config) -> int:
    cli.start_tensorflow()
    from retinaface_tf.doctor.machine import examine_machine

    for line in examine_machine(config, _SECONDS.value):
        say(line)
    return 0


def _replay(file: Path) -> int:
    cli.start_tensorflow()
    from retinaface_tf.doctor.replay import replay

    replayed = replay(file)
    say(replayed)
    return 0 if replayed.is_finite else DOES_NOT_HOLD


if __name__ == "__main__":
    cli.run(main)
