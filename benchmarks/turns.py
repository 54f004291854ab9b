"""Measures contestants in turns within one run, since machines are noisy, and compares them."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

# Threads of one contestant may still spin, waiting for work, when the next one's turn begins.
PAUSE = 0.3
WARM_UP = 3  # pieces of each turn before the clock runs: buffers fill, caches warm

# Does one piece of work: a batch, a step, an image.
Piece = Callable[[], object]


class Turn(NamedTuple):
    wall: float  # seconds that a piece took
    cpu: float  # the same, of all threads of this process


def take_turns(
    contestants: Mapping[str, Callable[[], Piece]], *, rounds: int, pieces: int
) -> dict[str, list[Turn]]:
    """Lets each contestant do `pieces` of its work in turn, `rounds` times.

    A contestant makes itself ready, which is not timed, and returns what does a piece; when that is
    dropped, so must be all that goes on behind it.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, ready in contestants.items():
            piece = ready()
            for _ in range(WARM_UP):
                piece()
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(pieces):
                piece()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            turns[name].append(Turn(wall / pieces, cpu / pieces))
            del piece
            time.sleep(PAUSE)
    return turns


def report(turns: Mapping[str, list[Turn]], *, images: int) -> None:
    """Prints medians and their spread, where a piece is of so many images.

    The ratios say how much longer each took than the first contestant, by the clock and in CPU time.
    """
    print(
        f"{'':<24}{'ms':>8}  {'least to most':<18}{'images/s':>9}{'/CPU-s':>8}{'ratio':>7}{'CPU':>7}"
    )
    first = median(next(iter(turns.values())))
    for name, each in turns.items():
        (wall, cpu), walls = median(each), [turn.wall * 1e3 for turn in each]
        print(
            f"{name:<24}{wall * 1e3:>8.1f}  {f'{min(walls):.1f} to {max(walls):.1f}':<18}"
            f"{images / wall:>9.1f}{images / cpu:>8.1f}{wall / first.wall:>7.2f}{cpu / first.cpu:>7.2f}"
        )


def median(turns: list[Turn]) -> Turn:
    """Of each figure by itself."""
    return Turn(*(statistics.median(values) for values in zip(*turns, strict=True)))
