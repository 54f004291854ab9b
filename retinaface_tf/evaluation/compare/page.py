"""Shows a comparison as one HTML page (needs matplotlib)."""

from pathlib import Path

from retinaface_tf.evaluation.average_precision import SETS
from retinaface_tf.evaluation.compare.comparison import Comparison
from retinaface_tf.evaluation.report import TEMPLATES, plots
from retinaface_tf.html_page import write_page

PAGE_FILE = "compare.html"


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Writes `compare.html` into a folder, which is created if it does not exist."""
    runs = comparison.runs
    return write_page(
        folder / PAGE_FILE,
        TEMPLATES,
        "compare.html",
        rows=list(zip(runs, comparison.table, strict=True)),
        runs=runs,
        images=comparison.images,
        settings=comparison.settings,
        versions=comparison.versions,
        sets=SETS,
        plots={
            name: plots.precision_recall_plot({run.name: run.curves[name] for run in runs})
            for name in SETS
        },
    )
