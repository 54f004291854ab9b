"""AP by height, attribute and event: scenes of a few boxes, worked out by hand."""

import numpy as np
import pytest

from retinaface_tf.evaluation.average_precision import SETS, GroundTruth
from retinaface_tf.evaluation.outcome import examine
from retinaface_tf.evaluation.subsets import ap_by_attribute, ap_by_event, ap_by_height

SMALL, TALL = [10, 10, 15, 15], [100, 100, 60, 60]
SMALL_NOWHERE, TALL_NOWHERE = [600, 600, 15, 15], [700, 700, 60, 60]


def truth(faces):
    everything = np.ones(len(faces), bool)
    return GroundTruth(np.array(faces, float).reshape(-1, 4), dict.fromkeys(SETS, everything))


def of_one_image(*rows):
    return examine({"e/a": rows}, {"e/a": truth([SMALL, TALL])})


def test_false_detections_count_in_the_class_of_their_own_height():
    found = of_one_image([*TALL_NOWHERE, 0.9], [*TALL, 0.8], [*SMALL, 0.7], [*SMALL_NOWHERE, 0.1])
    by_height = {each.name: each for each in ap_by_height(found, 0.75)}
    assert by_height["50-100"][1:] == (1, 0.5, 1)  # a false one above the hit
    assert by_height["10-20"][1:] == (1, 1, 0)  # and none above this, which the threshold misses
    assert by_height["20-50"].faces == 0
    assert np.isnan(by_height["20-50"].ap)


def test_faces_without_area_are_no_faces_to_find():
    found = examine({}, {"e/a": truth([[1, 1, 0, 5], [1, 1, 5, 5]])})
    assert ap_by_height(found, 0.5)[0].faces == 1


def test_an_attribute_parts_the_faces_by_its_values():
    found = of_one_image([*TALL_NOWHERE, 0.9], [*TALL, 0.8])
    blur_of_each = np.zeros((2, 6), np.int64)
    blur_of_each[:, 0] = [2, 0]
    by_attribute = ap_by_attribute(found, blur_of_each, 0.5)
    assert list(by_attribute) == [
        *("blur", "expression", "illumination", "invalid", "occlusion", "pose")
    ]
    blur = {each.name: each for each in by_attribute["blur"]}
    assert (blur["clear"].faces, blur["clear"].ap, blur["clear"].recall) == (1, 0.5, 1)
    assert (blur["heavy"].faces, blur["heavy"].ap, blur["heavy"].recall) == (1, 0, 0)
    assert blur["normal"].faces == 0


def test_an_event_has_its_own_faces_and_false_detections():
    images = {"b/1": truth([SMALL]), "a/1": truth([TALL]), "a/2": truth([])}
    predictions = {"b/1": [[*SMALL, 0.9], [*SMALL_NOWHERE, 0.95]], "a/1": [[*TALL, 0.3]]}
    first, second = ap_by_event(examine(predictions, images), 0.5)
    assert (first.name, first.images, first.faces) == ("a", 2, 1)
    assert first.ap == {"easy": 1, "medium": 1, "hard": 1}
    assert (first.missed, first.false) == (1, 0)
    assert second.ap["hard"] == pytest.approx(0.5)
    assert (second.missed, second.false) == (0, 1)
