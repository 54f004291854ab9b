"""Detects faces with a model on TensorFlow Serving."""

from retinaface_tf.serving.client.answer import FoundFaces
from retinaface_tf.serving.client.client import Client

__all__ = ["Client", "FoundFaces"]
