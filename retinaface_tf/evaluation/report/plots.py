"""Draws plots as SVG in the colours and font of a page (needs matplotlib)."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retinaface_tf.evaluation.average_precision import Curve, average_precision
from retinaface_tf.evaluation.outcome import Reliability
from retinaface_tf.evaluation.subsets import Subset

# matplotlib knows no CSS: these colours stand for the page's, which differ between light and dark.
_INK = "#010203"
_PAGE_COLOURS = {
    "#0a0b0c": "var(--a)",
    "#0d0e0f": "var(--b)",
    "#101112": "var(--c)",
    "#131415": "var(--d)",
}
COLOURS = tuple(_PAGE_COLOURS)
LINES = ("-", "--", ":")  # for more curves than colours
_SIZE = (4.6, 3.3)  # inches, readable on a phone
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "retinaface_tf",  # so that equal plots have equal bytes
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor"], _INK),
    **dict.fromkeys(["xtick.color", "ytick.color", "grid.color"], _INK),
}


def precision_recall_plot(curves: Mapping[str, Curve]) -> str:
    """Draws curves by name, with their AP in the legend."""

    def draw(axes: Axes) -> None:
        for i, (name, curve) in enumerate(curves.items()):
            axes.plot(
                curve.recall,
                curve.precision,
                LINES[i // len(COLOURS) % len(LINES)],
                color=COLOURS[i % len(COLOURS)],
                label=f"{name} {average_precision(curve):.4f}",
            )
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        # Labels are passed explicitly: a legend leaves out labels such as `_run`, and sets those in
        # $ as formulas.
        labels = [str(line.get_label()) for line in axes.lines]
        legend = axes.legend([*axes.lines], labels, loc="lower left", frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)

    return _svg(draw)


def height_plot(subsets: Sequence[Subset]) -> str:
    """Draws AP by face height, and recall at the threshold."""

    def draw(axes: Axes) -> None:
        places = list(range(len(subsets)))
        recalls = [each.recall for each in subsets]
        axes.bar(places, [each.ap for each in subsets], 0.62, color=COLOURS[0], label="AP")
        axes.plot(places, recalls, "o", color=COLOURS[1], label="found at threshold")
        axes.set(xlabel="face height, pixels", ylim=(0, 1.02))
        axes.set_xticks(places, [each.name for each in subsets])
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(  # reversed, as the bars would come last
            *(handles[::-1], labels[::-1]),
            loc="lower center",
            bbox_to_anchor=(0.5, 1),
            ncols=2,
            frameon=False,
        )

    return _svg(draw)


def reliability_plot(reliability: Reliability) -> str:
    """Draws precision over mean score; on the diagonal, scores are probabilities."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], ":", color=_INK, linewidth=1)
        axes.plot(reliability.score, reliability.precision, "o-", color=COLOURS[0])
        axes.set(xlabel="score", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))

    return _svg(draw)


def _svg(draw: Callable[[Axes], None]) -> str:
    """Returns what `draw` draws on the axes, as an SVG element."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.grid(alpha=0.15)
        axes.set_axisbelow(True)
        draw(axes)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(written.getvalue())


def _for_page(svg: str) -> str:
    """Extracts the SVG element, as wide as its place, in the page's colours and font."""
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    for colour, variable in _PAGE_COLOURS.items():
        svg = svg.replace(colour, variable)
    # The page has its own font, and ids that all plots share may occur only once.
    foreign = (
        r"<metadata>.*?</metadata>",
        r"<style.*?</style>",
        r"font-family: [^;\"]*;?",
        r' id="[a-z][a-z.\d]*_\d+"',
    )
    svg = re.sub("|".join(foreign), "", svg, flags=re.DOTALL)
    element = r'<svg class="plot" role="img" \1>'
    return re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', element, svg, count=1)
