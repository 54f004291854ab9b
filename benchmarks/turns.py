"""Measures contestants in turns within one run, as machines are noisy, and compares them."""

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

# Threads of one contestant may still spin, waiting for work, when the next one's turn begins.
PAUSE = 0.3
WARM_UP = 3  # untimed pieces at the start of each turn: buffers fill, caches warm up

# Does one piece of work: a batch, a step, an image.
Piece = Callable[[], object]


class Turn(NamedTuple):
    wall: float  # seconds per piece
    cpu: float  # CPU seconds per piece, of all threads of this process


def take_turns(
    contestants: Mapping[str, Callable[[], Piece]],
    *,
    rounds: int,
    pieces: int,
    warm_up: int = WARM_UP,
) -> dict[str, list[Turn]]:
    """Has each contestant do `pieces` pieces of its work in turn, `rounds` times.

    A contestant prepares itself, which is not timed, and returns a function that does a piece. When
    that function is dropped, all background work must end, too.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, ready in contestants.items():
            piece = ready()
            for _ in range(warm_up):
                piece()
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(pieces):
                piece()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            turns[name].append(Turn(wall / pieces, cpu / pieces))
            del piece
            time.sleep(PAUSE)
    return turns


def over(inputs: Sequence[Any], process: Callable[..., object]) -> Callable[[], Piece]:
    """Returns a contestant that processes these inputs, tuples of arguments, repeatedly."""

    def ready() -> Piece:
        cycle = itertools.cycle(inputs)
        return lambda: process(*next(cycle))

    return ready


def report(turns: Mapping[str, list[Turn]], *, images: int) -> None:
    """Prints medians and their spread, for pieces of `images` images.

    The ratios are each contestant's time divided by the first's, by the clock and in CPU time.
    """
    columns = ("ms", "least to most", "images/s", "/CPU-s", "ratio", "of CPU")
    print("{:<24}{:>8}  {:<18}{:>9}{:>8}{:>7}{:>7}".format("", *columns))
    first = median(next(iter(turns.values())))
    for name, each in turns.items():
        (wall, cpu), walls = median(each), [turn.wall * 1e3 for turn in each]
        spread = f"{min(walls):.1f} to {max(walls):.1f}"
        speeds = f"{images / wall:>9.1f}{images / cpu:>8.1f}"
        ratios = f"{wall / first.wall:>7.2f}{cpu / first.cpu:>7.2f}"
        print(f"{name:<24}{wall * 1e3:>8.1f}  {spread:<18}{speeds}{ratios}")


def median(turns: list[Turn]) -> Turn:
    """Returns the median of each figure separately."""
    return Turn(*(statistics.median(values) for values in zip(*turns, strict=True)))
