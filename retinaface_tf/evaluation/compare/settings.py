"""Lists how evaluations differ: weights, date, versions, and settings of the config."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from retinaface_tf.evaluation.compare.conditions import UNKNOWN
from retinaface_tf.evaluation.result import Evaluation

ABSENT = "none"  # stands for a version or a setting that an evaluation lacks
_DIGITS = 12  # of a SHA-256, enough to tell files apart
_NAMED_ELSEWHERE = ("eval.weights", "eval.out")  # by the source and the name of a run


class DifferingSetting(NamedTuple):
    """Holds a property in which evaluations differ."""

    name: str  # such as `weights`, or `detector.nms_iou`
    values: tuple[str, ...]  # one for each evaluation


def differing_settings(evaluations: Sequence[Evaluation]) -> list[DifferingSetting]:
    """Lists how the evaluations that made the detections differ, settings of the config last."""
    tables = [_describe(evaluation.maker) for evaluation in evaluations]
    rows = (
        DifferingSetting(name, tuple(table.get(name, ABSENT) for table in tables))
        for name in dict.fromkeys(name for table in tables for name in table)
    )
    return [row for row in rows if len(set(row.values)) > 1]


def common_versions(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Returns the versions that all evaluations have in common, this package's first."""
    tables = [_versions(evaluation.maker) for evaluation in evaluations]
    return {
        name: version
        for name, version in tables[0].items()
        if all(table.get(name) == version for table in tables)
    }


def _versions(evaluation: Evaluation) -> dict[str, str]:
    return {"retinaface_tf": evaluation.retinaface_tf, **evaluation.versions}


def _describe(evaluation: Evaluation) -> dict[str, str]:
    config = dict(_flatten(evaluation.config.as_dict()))
    for name in _NAMED_ELSEWHERE:
        del config[name]
    return {
        "weights": evaluation.source,
        "SHA-256": " ".join(digest[:_DIGITS] for digest in evaluation.sha256.values()) or ABSENT,
        "date": evaluation.minute,
        **_versions(evaluation),
        **config,
        "eval.protocol": evaluation.protocol or UNKNOWN,
    }


def _flatten(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields settings by dotted key."""
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)
