"""Holds the diagnosis of a data set, as text and JSON: findings, and which block training."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.doctor.findings import KINDS, Finding, Population, Split
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class
from retinaface_tf.wording import counted

MIN_MATCHABLE = 0.5  # fraction of faces; WIDER FACE at 640 pixels has 0.65
ANCHORS_REMEDY = "faces are too small or too large: raise data.image_size, or set anchors.sizes"
EXAMPLES = 3  # of each kind, on a terminal


class HeightRow(NamedTuple):
    """Holds the faces of a height class."""

    name: str  # of the class, in pixels
    faces: int
    matchable: int  # faces that an anchor can match


@dataclass(frozen=True)
class SplitDiagnosis:
    """Holds a split of the data set and its findings."""

    split: Split
    findings: list[Finding]
    matchable: NDArray[np.bool_]  # [N], whether an anchor can match the face

    def of_kind(self, kind: str) -> list[Finding]:
        """Returns the findings of a kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def blocking(self) -> list[str]:
        """Returns the kinds that block training, and `anchors` if too few faces are matchable."""
        found = Counter(finding.kind for finding in self.findings)
        populations = self.split.populations
        kinds = [
            name
            for name, kind in KINDS.items()
            if kind.severity.is_blocking(found[name], populations[kind.population])
        ]
        too_few = len(self.matchable) and self.matchable.mean() < MIN_MATCHABLE
        return [*kinds, "anchors"] if too_few else kinds

    def heights(self) -> list[HeightRow]:
        """Counts faces by height."""
        boxes = self.split.records.boxes
        row = height_class(boxes[:, 3] - boxes[:, 1])
        return [
            HeightRow(name, int((row == i).sum()), int(self.matchable[row == i].sum()))
            for i, name in enumerate(HEIGHT_NAMES)
        ]


@dataclass(frozen=True)
class Diagnosis:
    config: Config
    splits: list[SplitDiagnosis]
    seconds: float

    def blocking(self) -> list[str]:
        """Returns what blocks training, such as `train: overlap`."""
        return [f"{s.split.name}: {kind}" for s in self.splits for kind in s.blocking()]

    def __str__(self) -> str:
        """Formats counts, examples of each kind and what to do, for a terminal."""
        lines: list[str] = []
        for diagnosis in self.splits:
            lines += _lines_of_split(diagnosis, self.config.data.image_size)
        return "\n".join([*lines, *self._closing_lines()])

    def _closing_lines(self) -> Iterator[str]:
        """Yields what blocks training and how to correct it, or that nothing does."""
        blocking = self.blocking()
        if not blocking:
            yield "ready to train"
            return
        yield f"not ready to train: {', '.join(blocking)}"
        for kind in dict.fromkeys(kind for split in self.splits for kind in split.blocking()):
            yield f"  {kind}: {KINDS[kind].remedy if kind in KINDS else ANCHORS_REMEDY}"

    def save(self, file: Path) -> None:
        """Writes the whole diagnosis as JSON, creating missing folders."""
        content = {
            "root": self.config.data.root,
            "image_size": self.config.data.image_size,
            "seconds": round(self.seconds, 2),
            "blocking": self.blocking(),
            "splits": {s.split.name: _content_of_split(s) for s in self.splits},
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _content_of_split(diagnosis: SplitDiagnosis) -> dict[str, object]:
    split = diagnosis.split
    return {
        **{str(name): count for name, count in split.populations.items()},
        "heights": {
            row.name: {"faces": row.faces, "matchable": row.matchable}
            for row in diagnosis.heights()
        },
        "findings": [
            {
                "kind": finding.kind,
                "where": split.where(finding),
                "image": split.image_of(finding),
                "text": finding.text,
            }
            for finding in diagnosis.findings
        ],
    }


def _lines_of_split(diagnosis: SplitDiagnosis, image_size: int) -> Iterator[str]:
    split = diagnosis.split
    counts, unmatchable = split.populations, int((~diagnosis.matchable).sum())
    yield (
        f"{split.name}: {counted(counts[Population.IMAGES], 'image')}, "
        f"{counted(counts[Population.FACES], 'face')}, "
        f"{counts[Population.LANDMARKS]} with landmarks"
    )
    yield f"  {'height':<8}{'faces':>8}  an anchor can match at {image_size} x {image_size}"
    for name, faces, matchable in diagnosis.heights():
        fraction = f"{matchable / faces:.0%}" if faces else "-"
        yield f"  {name:<8}{faces:>8}  {matchable} ({fraction})"
    yield f"  {counted(unmatchable, 'face')} that no anchor can match, unless a crop enlarges them"
    blocking = diagnosis.blocking()
    for name, kind in KINDS.items():
        if found := diagnosis.of_kind(name):
            yield f"  {'!' if name in blocking else '-'} {kind.title}: {len(found)}"
            yield from (
                f"      {split.where(f)}: {split.image_of(f)}: {f.text}" for f in found[:EXAMPLES]
            )
