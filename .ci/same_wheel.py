"""Compares two wheels, file by file: python same_wheel.py A.whl B.whl."""

import sys
import zipfile


def contents(path: str) -> dict[str, int]:
    """Returns the checksum of each file of a wheel by its name."""
    with zipfile.ZipFile(path) as wheel:
        return {entry.filename: entry.CRC for entry in wheel.infolist()}


one, other = map(contents, sys.argv[1:])
differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
if differing:
    sys.exit(f"the wheels of sdist and checkout differ in {', '.join(differing)}")
