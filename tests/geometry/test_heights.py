"""Classes of face heights."""

import numpy as np
import pytest

from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class


@pytest.mark.parametrize(
    ("height", "name"),
    [(0, "< 10"), (9, "< 10"), (10, "10-20"), (20, "20-50"), (299, "100-300"), (300, "> 300")],
)
def test_a_class_of_heights_begins_at_its_edge(height, name):
    assert HEIGHT_NAMES[int(height_class(np.array([height]))[0])] == name
