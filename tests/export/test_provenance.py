"""Metadata of an export: where it is from."""

from dataclasses import replace

import pytest

from retinaface_tf.config import DetectorConfig
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.scoring import score
from retinaface_tf.export.provenance import collect_metadata
from retinaface_tf.model.detector import GraphDetector


def test_the_ap_that_eval_wrote_goes_along_if_it_is_of_these_weights(tiny, tmp_path):
    config = replace(tiny.config, eval=replace(tiny.config.eval, out=str(tmp_path)))
    detector = GraphDetector(tiny.network, config)
    assert collect_metadata(detector, "step-7").evaluation is None
    written = score({}, {}, config, source="step-7", protocol="original")
    written = replace(written, ap={"easy": 0.9, "medium": 0.8, "hard": 0.7}, date="today")
    written.save(tmp_path)
    measured = collect_metadata(detector, "step-7").evaluation
    assert (measured.ap, measured.protocol, measured.date) == (written.ap, "original", "today")
    assert collect_metadata(detector, "step-8").evaluation is None


@pytest.mark.parametrize("missing", ["top_k", "max_detections"])
def test_a_detector_without_limits_is_refused_by_its_keys(tiny, missing):
    config = replace(tiny.config, detector=DetectorConfig(**{missing: None}))
    with pytest.raises(InputError, match=rf"detector\.{missing}"):
        collect_metadata(GraphDetector(tiny.network, config), "weights")
