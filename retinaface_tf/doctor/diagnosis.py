"""What was found in a data set: how much of it would hurt training, as text and for JSON."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.doctor.checks import KINDS, Finding, Half
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class

LEAST_REACHED = 0.5  # a share of faces; WIDER FACE at 640 pixels has 0.65
EXAMPLES = 3  # of each kind on a terminal


class Patient(NamedTuple):
    """A half of the data set and what was found in it."""

    half: Half
    findings: list[Finding]
    reached: NDArray[np.bool_]  # [N], whether an anchor can answer for the face

    @property
    def counts(self) -> dict[str, int]:
        """How many of each thing that findings are a share of."""
        records = self.half.records
        landmarks = int(records.has_landmarks.sum())
        return {"images": len(records), "faces": len(records.boxes), "landmarks": landmarks}

    def hurts(self) -> list[str]:
        """Kinds of findings that are frequent enough to hurt training, or `anchors`."""
        found, counts = Counter(finding.kind for finding in self.findings), self.counts
        kinds = [
            kind
            for kind, (_, of, least) in KINDS.items()
            if found[kind] and found[kind] >= least * counts[of]
        ]
        few = len(self.reached) and self.reached.mean() < LEAST_REACHED
        return [*kinds, "anchors"] if few else kinds

    def where(self, finding: Finding) -> str:
        """File and line."""
        records = self.half.records
        if finding.face is None:
            return records.where(finding.image)
        return f"{records.label_file}:{records.face_lines[finding.face]}"


class Diagnosis(NamedTuple):
    config: Config
    patients: list[Patient]
    seconds: float

    def hurts(self) -> list[str]:
        """Such as `train: overlap`."""
        return [f"{p.half.name}: {kind}" for p in self.patients for kind in p.hurts()]

    def __str__(self) -> str:
        """What a terminal shows: counts, examples of each kind, what would hurt."""
        lines: list[str] = []
        for patient in self.patients:
            lines += _summary_of_half(patient, self.config.data.image_size)
        hurts = self.hurts()
        lines.append(f"would hurt training: {', '.join(hurts)}" if hurts else "ready to train")
        return "\n".join(lines)

    def save(self, file: Path) -> None:
        """Writes all of it as JSON, and the folder that it needs."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "root": self.config.data.root,
            "image_size": self.config.data.image_size,
            "seconds": round(self.seconds, 2),
            "hurts": self.hurts(),
            "halves": {p.half.name: _as_dict(p) for p in self.patients},
        }


def height_table(patient: Patient) -> list[tuple[str, int, int]]:
    """Faces by height: its class, how many, and how many of these an anchor reaches."""
    boxes = patient.half.records.boxes
    place = height_class(boxes[:, 3] - boxes[:, 1])
    return [
        (name, int((place == i).sum()), int(patient.reached[place == i].sum()))
        for i, name in enumerate(HEIGHT_NAMES)
    ]


def _as_dict(patient: Patient) -> dict[str, Any]:
    records = patient.half.records
    return {
        **patient.counts,
        "heights": {
            name: {"faces": faces, "reached": reached}
            for name, faces, reached in height_table(patient)
        },
        "findings": [
            {
                "kind": finding.kind,
                "where": patient.where(finding),
                "image": str(records.images[finding.image]),
                "text": finding.text,
            }
            for finding in patient.findings
        ],
    }


def _summary_of_half(patient: Patient, image_size: int) -> Iterator[str]:
    counts, missed = patient.counts, int((~patient.reached).sum())
    yield (
        f"{patient.half.name}: {counts['images']} images, {counts['faces']} faces, "
        f"{counts['landmarks']} with landmarks"
    )
    yield f"  {'height':<8}{'faces':>8}  an anchor reaches at {image_size} x {image_size}"
    for name, faces, reached in height_table(patient):
        share = f"{reached / faces:.0%}" if faces else "-"
        yield f"  {name:<8}{faces:>8}  {reached} ({share})"
    yield f"  {missed} faces no anchor can match, unless a crop shows them larger"
    hurting = patient.hurts()
    for kind, (title, *_) in KINDS.items():
        found = [finding for finding in patient.findings if finding.kind == kind]
        if found:
            yield f"  {'!' if kind in hurting else '-'} {title}: {len(found)}"
            yield from (f"      {patient.where(f)}: {f.text}" for f in found[:EXAMPLES])
