"""Runs a batch that is killed at random, and starts it again until it is done."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

WORKER = b"ray::Map"  # how Ray calls a process that runs an actor of a `map`


def run_with_kills(command: Sequence[str], out: Path, kills: int, gap: float, seed: int = 1) -> int:
    """Runs a command with kills of random workers or of itself, each after some more results.

    Args:
        command: a batch on Ray.
        out: its folder.
        kills: how many at most.
        gap: seconds from new results to a kill, at most.
        seed: of what is killed when.

    Returns:
        How many processes were killed.
    """
    choose, killed = random.Random(seed), 0
    orphans: set[int] = set()
    driver = subprocess.Popen(command)
    while killed < kills and wait_for_results(driver, out):
        time.sleep(choose.uniform(0, gap))
        family = list(descendants(driver.pid))
        workers = [pid for pid in family if is_worker(pid)]
        victim = choose.choice([driver.pid, *workers])
        if driver.poll() is not None:
            break
        os.kill(victim, signal.SIGKILL)
        killed += 1
        if victim == driver.pid:
            orphans.update(family)
            driver.wait()
            driver = subprocess.Popen(command)
    assert driver.wait() == 0
    wait_for_end(orphans)
    return killed


def wait_for_end(pids: set[int], seconds: float = 60) -> None:
    """Waits until no process of a killed command is left, as Ray sees to."""
    until = time.monotonic() + seconds
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.1)


def wait_for_results(driver: "subprocess.Popen[bytes]", out: Path) -> bool:
    """Waits until there are more results than now; False once the command has ended."""
    before = count_parts(out)
    while driver.poll() is None:
        if count_parts(out) > before:
            return True
        time.sleep(0.02)
    return False


def count_parts(out: Path) -> int:
    return len(list((out / "detections").glob("part-*")))


def descendants(pid: int) -> Iterator[int]:
    """Yields the processes that a process has started, and those that they have."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []


def is_worker(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(WORKER)
    except OSError:
        return False
