"""What an evaluation says: three lines, and a JSON file with everything that they depend on."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import retinaface_tf
from retinaface_tf.config import Config

REPORT_FILE = "eval.json"


def summary(ap: Mapping[str, float]) -> str:
    """The three lines of AP, in the seed's words."""
    return "\n".join(f"{name.capitalize():<6} Val AP : {value:.4f}" for name, value in ap.items())


def write_report(
    folder: Path,
    config: Config,
    source: str,
    protocol: str | None,
    ap: Mapping[str, float],
    seconds: float,
) -> None:
    """Writes `eval.json` into a folder.

    Args:
        folder: made if it is not there.
        config: goes into the report whole.
        source: what was evaluated.
        protocol: the sizes of images, or None for predictions that somebody else made.
        ap: by set.
        seconds: that all took.
    """
    report = {
        "ap": dict(ap),
        "source": source,
        "protocol": protocol,
        "seconds": round(seconds, 1),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "retinaface_tf": retinaface_tf.__version__,
        "config": config.as_dict(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
