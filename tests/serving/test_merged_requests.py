"""Requests merged into batches by SharedBatchScheduler, which TensorFlow Serving does by."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from retinaface_tf.errors import ImageError

LARGEST = 16  # images of a batch
CLIENTS = 16  # at once


def test_concurrent_requests_are_answered_as_alone(saved_model, kinds):
    model = tf.saved_model.load(str(saved_model))  # kept, as its variables go with it
    detect = model.detect_resized
    files = [*list(kinds.values())[:6], b"garbage", kinds["PNG"][:-20]]
    scores, ious = (0.02, 0.3, 0.7), (0.1, 0.4)
    requests = [(files[i % 8], scores[i % 3], ious[i % 2]) for i in range(24)]

    @tf.nondifferentiable_batch_function(1, LARGEST, batch_timeout_micros=200_000)
    def merged(images, score, iou):
        answer = detect(images, score, iou)
        names = ("boxes", "scores", "landmarks", "num_detections", "error")
        return *(answer[name] for name in names), tf.fill(tf.shape(images), tf.size(images))

    inputs = [tf.TensorSpec([None], dtype) for dtype in (tf.string, tf.float32, tf.float32)]
    served = tf.function(merged, input_signature=inputs)
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(
            clients.map(lambda r: served(*(tf.constant([each]) for each in r)), requests)
        )

    assert max(answer[-1].numpy().item() for answer in answers) > 1
    for (file, score, iou), (*answer, _) in zip(requests, answers, strict=True):
        alone = detect(tf.constant([file]), tf.constant([score]), tf.constant([iou]))
        boxes, found, landmarks, count, error = answer
        assert error == alone["error"]
        assert count == alone["num_detections"]
        assert (count > 0) == (error == ImageError.NONE)
        np.testing.assert_allclose(found, alone["scores"], atol=1e-5)
        for rows, name in ((boxes, "boxes"), (landmarks, "landmarks")):
            np.testing.assert_allclose(rows, alone[name], rtol=1e-4, atol=1e-2)
