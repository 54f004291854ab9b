"""From a YAML file and `--set section.key=value` to a config.

Imports no TensorFlow, so that a typing mistake is answered at once; all mistakes are reported
together, each by its dotted key.
"""

import dataclasses
import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError

CONFIGS = "configs"  # beside this module in a wheel, beside the package in a checkout
RUN_CONFIG = "config.yaml"  # in a run's folder


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a config and applies overrides such as `train.epochs=3`.

    Values of overrides are YAML too: `data.drawn_val=10`, `schedule.decay_epochs=[7,9]`,
    `eval.ground_truth=null`.

    Example:
        >>> config = load_config("mobilenet025", ["train.epochs=3"])
        >>> config.model.backbone, config.train.epochs
        ('mobilenet025', 3)

    Args:
        path: a YAML file; the name of a config that the package has, such as `res50`; or a run's
            folder, for its `config.yaml` with `train.workdir` being that folder.
        overrides: each as `section.key=value`; the last wins.

    Raises:
        InputError: a missing or broken file, an unknown key, a value out of range; the message
            has a line for each, by dotted key.
    """
    file = _find_config(Path(path))
    tree = _read_yaml(file)
    if file.parent == Path(path):  # a run may have been moved
        overrides = [f"train.workdir={json.dumps(str(path))}", *overrides]
    for override in overrides:
        _apply_override(tree, override)
    try:
        return TypeAdapter(Config).validate_python(tree)
    except ValidationError as error:
        found = [_describe(e) for e in error.errors()]
        if len(found) == 1:
            raise InputError(f"{path}: {found[0]}") from None
        raise InputError(
            "\n  ".join([f"{path}: {len(found)} settings are wrong", *found])
        ) from None


def packaged_configs() -> dict[str, Path]:
    """Finds the configs that travel with the package, by name."""
    here = Path(__file__).parent
    folder = next((f for f in (here / CONFIGS, here.parent / CONFIGS) if f.is_dir()), here)
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def _find_config(path: Path) -> Path:
    if path.is_dir():
        return path / RUN_CONFIG
    if path.exists() or path.suffix or path.parent != Path():
        return path
    packaged = packaged_configs()
    if path.name not in packaged:
        raise InputError(
            f"{path}: no such config; expected a file, a run's folder or one of "
            f"{', '.join(packaged)}"
        )
    return packaged[path.name]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise InputError(f"{path}: cannot read this config ({reason})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict | None):
        raise InputError(f"{path}: expected sections such as `train:`, found {tree!r:.60}")
    return {section: {} if value is None else value for section, value in (tree or {}).items()}


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) != 2:
        raise InputError(f"--set {override}: expected section.key=value, as in train.epochs=3")
    section, name = parts
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    # A section that is no mapping stays, to be refused with the rest.
    if isinstance(tree.setdefault(section, {}), dict):
        tree[section][name] = value


def _describe(error: Mapping[str, Any]) -> str:
    """One pydantic error as one line: dotted key, what was found, what was expected."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key{_did_you_mean(error['loc'])}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, found {error['input']!r:.80}"


def _did_you_mean(location: Sequence[Any]) -> str:
    sections: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(Config)}
    if len(location) == 1:
        known = list(sections)
    else:
        known = [field.name for field in dataclasses.fields(sections[location[0]])]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if not close and len(location) == 2:
        close = [
            f"{section}.{field.name}"
            for section, kind in sections.items()
            for field in dataclasses.fields(kind)
            if field.name == location[-1]
        ]
    return f", did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
