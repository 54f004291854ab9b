"""A SavedModel, called as the detector that it was made of."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tiny_network import noise

from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.export.formats import export_model
from retinaface_tf.export.parity_images import open_parity_check
from retinaface_tf.export.savedmodel import check_saved_model
from retinaface_tf.runtimes.saved_model import SavedModelDetector


@pytest.fixture(scope="module")
def exported(saved_model):
    return SavedModelDetector(saved_model)


def test_an_exported_model_is_called_as_its_detector(exported, tiny):
    image = noise(1, 75, 101)
    for ours, theirs in zip(exported(image), tiny(image), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    half = exported(image, 2.0)
    np.testing.assert_array_equal(half.boxes, exported(image).boxes / 2)


def test_an_image_too_large_for_an_exported_model_is_refused_by_name(exported):
    images = tf.zeros([1, 8, 17_000, 3], tf.uint8)
    with pytest.raises(InputError, match="17000 x 8 pixels is larger than this model"):
        exported(images)


def test_what_is_no_exported_model_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        SavedModelDetector(tmp_path / "none")
    with pytest.raises(InputError, match=r"not a model that export\.py wrote"):
        SavedModelDetector(tmp_path)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index", "variables"])
def test_a_copy_that_is_not_whole_is_named(saved_model, tmp_path, part):
    model = shutil.copytree(saved_model, tmp_path / "model")
    if (model / part).is_dir():
        shutil.rmtree(model / part)
    else:
        (model / part).unlink()
    with pytest.raises(InputError, match=re.escape(f"{model}: ")):
        SavedModelDetector(model)


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_a_copy_cut_short_is_named(saved_model, tmp_path, part, share):
    model = shutil.copytree(saved_model, tmp_path / "model")
    content = (model / part).read_bytes()
    (model / part).write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=re.escape(f"{model}: ")):
        SavedModelDetector(model)


@pytest.mark.parametrize("folder", ["a[1]", "a?b"])
def test_a_folder_that_tensorflow_reads_as_a_pattern_is_refused(
    tiny, saved_model, tmp_path, folder
):
    with pytest.raises(InputError, match=re.escape(str(tmp_path / folder))):
        export_model(tiny, tmp_path / folder)
    model = shutil.copytree(saved_model, tmp_path / folder / "copy")
    with pytest.raises(InputError, match=re.escape(f"{model}: ")):
        SavedModelDetector(model)


class MovedPixels(SavedModelDetector):
    """An export whose answers about pixels are half a pixel off."""

    def __call__(self, images, scale=1.0):
        found = super().__call__(images, scale)
        return found._replace(landmarks=found.landmarks + 0.5)


class MovedBytes(SavedModelDetector):
    """An export whose answers about bytes are half a pixel off."""

    def detect_bytes(self, images):
        found = super().detect_bytes(images)
        return found._replace(boxes=found.boxes + 0.5)


@pytest.mark.parametrize(
    ("kind", "signature"), [(MovedPixels, "detect_images"), (MovedBytes, "serving_default")]
)
def test_a_signature_that_answers_otherwise_is_refused_by_name(tiny, saved_model, kind, signature):
    config = replace(tiny.config, export=replace(tiny.config.export, parity_images=1))
    with open_parity_check(config) as check, pytest.raises(DoesNotHold, match=signature):
        check_saved_model(tiny, kind(saved_model), check)
