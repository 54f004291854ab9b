"""Holds rows of the table of `gpu.py`, and the file that returns them from a part's process."""

import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HEADER = f"{'':<52}{'images/s':>9}{'ms':>9}  {'least to most':<18}{'of rate':>8}{'peak MiB':>10}"


@dataclass(frozen=True)
class Row:
    """Holds a line of the table.

    Attributes:
        name: what was measured.
        images: per step or call.
        ms: milliseconds per step or call, by round.
        rate: floating-point operations per second, as a share of the card's bfloat16 matrix rate.
        peak_mib: peak memory of the device during the measurement.
        digest: SHA-256 of what was trained.
        note: in words.
    """

    name: str
    images: int = 0
    ms: tuple[float, ...] = ()
    rate: float | None = None
    peak_mib: float | None = None
    digest: str | None = None
    note: str = ""

    def as_line(self) -> str:
        """Returns the row as a line below HEADER."""
        line = f"{self.name:<52}"
        if self.ms:
            median, spread = statistics.median(self.ms), f"{min(self.ms):.1f} to {max(self.ms):.1f}"
            line += f"{self.images / median * 1e3:>9.1f}{median:>9.1f}  {spread:<18}"
            line += f"{'' if self.rate is None else format(self.rate, '.1%'):>8}"
            line += f"{'' if self.peak_mib is None else format(self.peak_mib, '.0f'):>10}"
        return f"{line}  {self.note or (self.digest or '')[:12]}".rstrip()


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Writes each row as soon as it comes, so that a crash loses no earlier row."""
    with file.open("a", encoding="utf-8") as lines:
        for row in rows:
            print(json.dumps(asdict(row)), file=lines, flush=True)


def read_rows(file: Path) -> Iterator[Row]:
    """Yields the rows of a file, without a line cut short; none if there is no file."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    for line in text.split("\n")[:-1]:
        values: dict[str, Any] = json.loads(line)
        yield Row(**values | {"ms": tuple(values["ms"])})
