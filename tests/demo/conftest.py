"""A demo that runs: a server on a free port, whose detector knows the answer."""

import threading
import time

import numpy as np
import pytest

from retinaface_tf.config import Config
from retinaface_tf.demo.server import DemoServer
from retinaface_tf.detections import Detections
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.interface import Detector


class KnownFaces(Detector):
    """Finds a face of score 0.9 and one of 0.3, whatever the image; remembers what it was asked."""

    def __init__(self):
        self.config, self.source = Config(), "known faces"
        self.asked = []
        self.pause = 0.0  # seconds
        self.running = self.most_running = 0  # calls at one time

    def detect(self, image, *, score_threshold=0.5, nms_iou=None):
        self.asked.append((image.shape, nms_iou))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        time.sleep(self.pause)
        self.running -= 1
        if nms_iou == 0.99:
            raise InputError("nms_iou: fixed at export")
        boxes = np.array([[10, 20, 50, 70], [60, 20, 80, 50]], np.float32)
        landmarks = np.arange(20, dtype=np.float32).reshape(2, 5, 2) + 20
        return Detections(boxes, np.array([0.9, 0.3], np.float32), landmarks).above(score_threshold)


@pytest.fixture
def detector():
    return KnownFaces()


@pytest.fixture
def server(detector, tmp_path):
    with DemoServer(detector, f"{tmp_path}/my run", "127.0.0.1", 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=[0.02])
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()
