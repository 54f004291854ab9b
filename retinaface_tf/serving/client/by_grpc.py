"""Sends requests to TensorFlow Serving by gRPC."""

import json
import math
from typing import Any
from urllib.parse import urlsplit

import grpc
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.serving.client.answer import OUTPUTS
from retinaface_tf.serving.client.protocol import BACKOFF, MAX_ANSWER, START_SERVER, Inputs, Outputs

MAX_GRPC_ATTEMPTS = 5  # the limit of gRPC
MAX_DIMENSIONS = 8  # of a tensor, more than any output has
VALUE_BYTES = 4  # of a float or an integer of an output


class Grpc:
    """Sends requests to PredictionService, with pixels and floats as they are."""

    def __init__(self, url: str, model: str, timeout: float, attempts: int):
        self.url, self.model, self.timeout = url, model, timeout
        parts = urlsplit(url)
        options = [
            # Requests and answers for many images exceed the default of 4 MiB.
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", MAX_ANSWER),
            ("grpc.service_config", _retries(attempts)),
        ]
        if parts.scheme == "grpcs":
            credentials = grpc.ssl_channel_credentials()
            self.channel = grpc.secure_channel(parts.netloc, credentials, options)
        else:
            self.channel = grpc.insecure_channel(parts.netloc, options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def predict(self, signature: str, inputs: Inputs) -> Outputs:
        request = predict_pb2.PredictRequest(
            model_spec=model_pb2.ModelSpec(name=self.model, signature_name=signature),
            inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
        )
        try:
            answer = self.stub.Predict(request, timeout=self.timeout)
        except grpc.RpcError as error:
            reason = f"{error.code().name}: {one_line(error.details() or '')}"
            hint = f"; {START_SERVER}" if "failed to connect" in reason else ""
            raise InputError(f"{self.url}: {reason}{hint}") from None
        return {
            name: self._read(name, answer.outputs[name])
            for name in OUTPUTS
            if name in answer.outputs
        }

    def _read(self, name: str, value: Any) -> NDArray[Any]:
        """Reads a tensor, whose shape may claim more than its content holds."""
        sizes = [dimension.size for dimension in value.tensor_shape.dim]
        try:
            if len(sizes) > MAX_DIMENSIONS or math.prod(sizes) * VALUE_BYTES > MAX_ANSWER:
                raise ValueError(f"it has the shape {sizes[:MAX_DIMENSIONS]}")
            return tf.make_ndarray(value)
        # For tensors of unknown types, or whose content does not have the size that they claim.
        except Exception as error:
            raise InputError(f"{self.url}: `{name}` cannot be read: {one_line(error)}") from None


def _retries(attempts: int) -> str:
    """Returns a service config that makes gRPC itself retry requests."""
    if attempts < 2:
        return "{}"
    policy = {
        "maxAttempts": min(attempts, MAX_GRPC_ATTEMPTS),
        "initialBackoff": f"{BACKOFF}s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
    }
    return json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
