"""Reads configs from YAML files and applies `--set section.key=value`.

Imports no TensorFlow, so that a typo is reported at once; all mistakes are reported together,
each by its dotted key.
"""

import dataclasses
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.yaml_text import MAX_LENGTH, YamlSizeError, parse_yaml

# What followed `--set`, by section and key.
Overrides = dict[tuple[str, str], str]

CONFIGS = "configs"  # beside this module in a wheel, beside the package in a checkout
RUN_CONFIG = "config.yaml"  # in a run's folder


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a config and applies overrides such as `train.epochs=3`.

    Values of overrides are YAML too: `data.drawn_val=10`, `schedule.decay_epochs=[7,9]`,
    `eval.ground_truth=null`.

    Examples:
        >>> config = load_config("mobilenet025", ["train.epochs=3"])
        >>> config.model.backbone, config.train.epochs
        ('mobilenet025', 3)

    Args:
        path: a YAML file; the name of a config in the package, such as `res50`; or a run's folder,
            whose `config.yaml` is read with `train.workdir` set to that folder.
        overrides: each as `section.key=value`; the last one wins.

    Raises:
        InputError: a file is missing or broken, a key is unknown, or a value is out of range. The
            message has a line for each mistake: the file or override, and the dotted key.
    """
    file = _find_config(Path(path))
    tree = _read_yaml(file)
    applied: Overrides = {}
    faults = []
    if file.parent == Path(path):  # a run may have been moved
        overrides = [as_override("train.workdir", str(path)), *overrides]
    for override in overrides:
        try:
            applied[_apply_override(tree, override)] = override
        except InputError as error:
            faults.append(str(error))
    try:
        config = TypeAdapter(Config).validate_python(tree)
    except ValidationError as error:
        faults += [
            f"{_source(path, e['loc'], applied)}: {_describe(e)}"
            for e in error.errors(include_url=False, include_context=False)
        ]
    if faults:
        heading = [f"{len(faults)} settings are wrong"] if len(faults) > 1 else []
        raise InputError("\n  ".join([*heading, *faults]))
    return config


def as_override(key: str, value: str | float | None) -> str:
    """Formats an override for `load_config`, whatever characters the value has."""
    if not isinstance(value, str):
        return f"{key}={json.dumps(value)}"
    # JSON would escape an emoji as two surrogates, which YAML does not join.
    text = yaml.safe_dump(value, default_style='"', width=sys.maxsize)
    return f"{key}={text.strip()}"


def packaged_configs() -> dict[str, Path]:
    """Finds the configs shipped with the package, by name."""
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
        with path.open(encoding="utf-8") as file:
            tree = parse_yaml(file.read(MAX_LENGTH + 1))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise InputError(f"{path}: cannot read this config ({reason})") from None
    except YamlSizeError as error:
        raise InputError(f"{path}: too large for a config, {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {one_line(error)}") from None
    if not isinstance(tree, dict | None):
        raise InputError(f"{path}: expected sections such as `train:`, found {_shown(tree)}")
    return {section: {} if value is None else value for section, value in (tree or {}).items()}


def _apply_override(tree: dict[str, Any], override: str) -> tuple[str, str]:
    """Sets the value that an override names in `tree`; returns its section and key."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) != 2:
        raise InputError(f"--set {override}: expected section.key=value, as in train.epochs=3")
    section, name = parts
    try:
        value = parse_yaml(text)
    except YamlSizeError as error:
        raise InputError(f"--set {override:.60}: too large for a value, {error}") from None
    except yaml.YAMLError:
        value = text
    # A section that is not a mapping stays, and is refused with the other mistakes.
    if isinstance(tree.setdefault(section, {}), dict):
        tree[section][name] = value
    return section, name


def _source(path: str | Path, location: Sequence[Any], applied: Overrides) -> str:
    """Returns where a mistake was made: in the file, in an override, or in both together."""
    if len(location) > 1:
        override = applied.get((location[0], location[1]))
        return str(path) if override is None else f"--set {override}"
    involved = [text for (section, _), text in applied.items() if section == location[0]]
    return " with --set ".join([str(path), *involved])


def _describe(error: Mapping[str, Any]) -> str:
    """Describes a mistake that pydantic found: dotted key, what was expected, what was found."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key{_did_you_mean(error['loc'])}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, found {_shown(error['input'])}"


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python prints no number of more than 4,300 digits
        return "a number with thousands of digits"


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
    return f", did you mean {close[0]}?" if close else f"; known keys are {', '.join(known)}"
