"""Asks a model on TensorFlow Serving for faces."""

from retinaface_tf.serving.client.client import Client, FoundFaces

__all__ = ["Client", "FoundFaces"]
