"""Warm-up requests: of every signature, answered by the model that they lie with."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from retinaface_tf.serving.signatures import SIGNATURES
from serving.c_api import CModel


@pytest.fixture(scope="module")
def requests(saved_model):
    file = saved_model / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]
    assert 0 < len(logs) <= 1000, "more the server refuses"
    assert all(log.HasField("predict_log") for log in logs)
    return [log.predict_log.request for log in logs]


def test_every_signature_is_warmed_up_under_the_models_name(requests):
    assert {request.model_spec.name for request in requests} == {"retinaface"}
    assert {request.model_spec.signature_name for request in requests} == set(SIGNATURES)


@pytest.mark.slow
def test_the_model_answers_its_warm_up_requests(requests, saved_model):
    model = CModel(saved_model)
    for request in requests:
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        signature = request.model_spec.signature_name
        assert inputs.keys() == set(model.signatures[signature].inputs)
        answer = model(signature, **inputs)
        images = len(next(inputs[n] for n in ("image_bytes", "images") if n in inputs))
        bad = 1 if images == 4 else 0
        assert np.count_nonzero(answer["error"]) == bad
        assert (answer["num_detections"][: images - bad] > 0).all()
