"""Plots as SVG to be put into a page, in the page's own colours and font (needs matplotlib)."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retinaface_tf.evaluation.average_precision import Curve, average_precision
from retinaface_tf.evaluation.outcome import Reliability
from retinaface_tf.evaluation.subsets import Subset

# matplotlib knows no CSS: colours that stand for the page's, which differ in light and dark.
_INK = "#010203"
_PAGES = {
    "#0a0b0c": "var(--a)",
    "#0d0e0f": "var(--b)",
    "#101112": "var(--c)",
    "#131415": "var(--d)",
}
COLOURS = tuple(_PAGES)
LINES = ("-", "--", ":")  # for more curves than colours
_SIZE = (4.6, 3.3)  # inches: on a phone it still can be read


def precision_recall_plot(curves: Mapping[str, Curve]) -> str:
    """Curves by name."""
    with _svg() as (axes, done):
        for i, (name, curve) in enumerate(curves.items()):
            axes.plot(
                curve.recall,
                curve.precision,
                LINES[i // len(COLOURS) % len(LINES)],
                color=COLOURS[i % len(COLOURS)],
                label=f"{name} {average_precision(curve):.4f}",
            )
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="lower left", frameon=False)
    return done[0]


def height_plot(subsets: Sequence[Subset]) -> str:
    """AP of each height, and the share of faces found at the threshold."""
    with _svg() as (axes, done):
        places = range(len(subsets))
        axes.bar(places, [each.ap for each in subsets], 0.62, color=COLOURS[0], label="AP")
        axes.plot(
            places,
            [each.recall for each in subsets],
            "o",
            color=COLOURS[1],
            label="found at threshold",
        )
        axes.set(xlabel="height of faces, pixels", ylim=(0, 1.02))
        axes.set_xticks(list(places), [each.name for each in subsets])
        shown = [each[::-1] for each in axes.get_legend_handles_labels()]  # bars would come last
        axes.legend(*shown, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return done[0]


def reliability_plot(told: Reliability) -> str:
    """Share of hits over mean score; on the diagonal a score is a probability."""
    with _svg() as (axes, done):
        axes.plot([0, 1], [0, 1], ":", color=_INK, linewidth=1)
        axes.plot(told.score, told.right, "o-", color=COLOURS[0])
        axes.set(xlabel="score", ylabel="share that are faces", xlim=(0, 1), ylim=(0, 1.02))
    return done[0]


@contextmanager
def _svg() -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on, and a list that holds the SVG afterwards."""
    style: Any = {
        "svg.fonttype": "none",  # text stays text, in the page's font
        "svg.hashsalt": "retinaface_tf",  # the same plot has the same bytes
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor"], _INK),
        **dict.fromkeys(["xtick.color", "ytick.color", "grid.color"], _INK),
    }
    done: list[str] = []
    with mpl.rc_context(style):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.grid(alpha=0.15)
        axes.set_axisbelow(True)
        yield axes, done
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    done.append(_for_page(written.getvalue()))


def _for_page(svg: str) -> str:
    """The element alone, of the width of its place, in the page's colours and font."""
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    for colour, variable in _PAGES.items():
        svg = svg.replace(colour, variable)
    # What is of the page: its font; and names, which are the same in each plot.
    foreign = (
        r"<metadata>.*?</metadata>",
        r"<style.*?</style>",
        r"font-family: [^;\"]*;?",
        r' id="[a-z][a-z.\d]*_\d+"',
    )
    svg = re.sub("|".join(foreign), "", svg, flags=re.DOTALL)
    element = r'<svg class="plot" role="img" \1>'
    return re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', element, svg, count=1)
