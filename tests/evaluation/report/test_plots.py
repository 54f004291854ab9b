import html

import numpy as np
import pytest

from retinaface_tf.evaluation.average_precision import Curve
from retinaface_tf.evaluation.report.plots import precision_recall_plot


@pytest.mark.parametrize("name", ["_x", "__", "$a$", "a$b", r"$\frac$", "a & <b>"])
def test_every_run_is_in_the_legend_by_its_name(name):
    pytest.importorskip("matplotlib")
    curve = Curve(np.array([1.0, 0.5]), np.array([0.5, 1.0]))
    plot = precision_recall_plot({"first": curve, name: curve})
    assert "first 0." in plot
    assert f"{html.escape(name, quote=False)} 0." in plot
