r"""Measures all that this project wants to know about a GPU, in at most nine minutes.

    python benchmarks/gpu.py --out gpu.json [--biubug6 CHECKOUT]
    python benchmarks/gpu.py --smoke

Needs no data set, as it draws one. For ResNet-50 at 840 pixels and MobileNet x0.25 at 640, it
measures the training step in bfloat16 and float32, with batches of 16, 32 and 64, from memory and
from files, compiled by XLA, with the batch norm of several replicas, and deterministic; detection
with each NMS kernel; and the exported model. For comparison it measures biubug6's training step, in
a checkout that the user names (see peers.py).

Each part runs in its own process with its own time limit, so that a crash or a lack of memory ends
only that part. `gpu.json` is rewritten after each part. `--smoke` runs all parts tiny on a CPU,
with MobileNet instead of ResNet-50, to see that they work. The exit code is 2 if a part failed.
"""

import collections
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from absl import flags
from gpu_parts.rows import HEADER, Row, read_rows
from gpu_parts.setting import Setting
from gpu_parts.table import MACHINE, parts

from retinaface_tf import cli
from retinaface_tf.errors import DOES_NOT_HOLD, InputError
from retinaface_tf.files import write_text

SECONDS = 530  # for all parts; a part that begins near the end is cut short
LEAST = 15  # seconds in which a part can measure something
SMOKE_SECONDS = 300  # for a part, on any machine
LOG = 4000  # characters to keep

_OUT = flags.DEFINE_string("out", "gpu.json", "The file to write.")
_SMOKE = flags.DEFINE_bool("smoke", False, "Runs everything tiny on a CPU.")
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")


@dataclass(frozen=True)
class Failure:
    """Says why a part did not finish."""

    reason: str
    log: str  # the end of the part's output


@dataclass
class Results:
    """Collects the results so far, by part."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    same_bits: dict[str, bool] = field(default_factory=dict)  # for what was trained twice

    def add(self, part: str, rows: list[Row], failure: Failure | None) -> None:
        """Adds what a part measured, or why it did not finish."""
        self.rows[part] = rows
        if failure is not None:
            self.failures[part] = failure
        digests = collections.defaultdict(list)
        for row in itertools.chain(*self.rows.values()):
            if row.digest is not None:
                digests[row.name].append(row.digest)
        self.same_bits = {n: len(set(each)) == 1 for n, each in digests.items() if each[1:]}


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    began, results, out = time.monotonic(), Results(), Path(_OUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    print(HEADER)
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        setting = Setting(Path(folder), _SMOKE.value, _BIUBUG6.value)
        for name, part in parts(setting).items():
            left = SECONDS - (time.monotonic() - began)
            limit = SMOKE_SECONDS if setting.smoke else min(part.seconds, left)
            failure = _run(name, setting, limit)
            rows = list(read_rows(setting.rows_file))
            results.add(name, rows, failure)
            write_text(out, json.dumps(asdict(results), indent=1) + "\n")
            if name == MACHINE and failure is not None:
                raise InputError(failure.reason)
            print(*(row.as_line() for row in rows), sep="\n", end="\n" if rows else "")
            if failure is not None:
                print(f"{name:<52}  {failure.reason}")
            sys.stdout.flush()
    for name, same in results.same_bits.items():
        print(f"{name}: {'the same bits' if same else 'other bits'} in two runs")
    print(f"{time.monotonic() - began:.0f} seconds; {out} has it all")
    return DOES_NOT_HOLD if results.failures else 0


def _run(name: str, setting: Setting, seconds: float) -> Failure | None:
    """Runs a part in its own process; returns why it did not finish."""
    setting.rows_file.unlink(missing_ok=True)
    if seconds < LEAST:
        return Failure("no time left", "")
    log = setting.folder / "log"
    with log.open("wb") as output:
        try:
            code = subprocess.run(
                [sys.executable, "-m", "gpu_parts", name, *setting.as_arguments()],
                stdout=output,
                stderr=output,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                timeout=seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return Failure(f"stopped after {seconds:.0f} s", _end(log))
    if code == 0:
        return None
    end = _end(log)
    reason = f"signal {-code}" if code < 0 else [f"exit code {code}", *end.splitlines()][-1]
    return Failure(reason, end)


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-LOG:]


if __name__ == "__main__":
    cli.run(main)
