"""Sends requests to TensorFlow Serving by gRPC or REST, with NumPy on both sides."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import grpc
import numpy as np
import tensorflow as tf
import urllib3
from numpy.typing import NDArray
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

from retinaface_tf.errors import InputError, one_line

# Encoded images, or an array.
Inputs = Mapping[str, list[bytes] | NDArray[Any]]
Outputs = dict[str, NDArray[Any]]
BACKOFF = 0.2  # seconds before a request is sent again; each further pause is twice as long
BUSY = (429, 502, 503, 504)  # HTTP statuses after which a request is sent again
MAX_GRPC_ATTEMPTS = 5  # gRPC allows no more


class Transport(Protocol):
    def predict(self, signature: str, inputs: Inputs) -> Outputs:
        """Sends a request to a signature of the model, and returns its outputs.

        Raises:
            InputError: the server did not answer in time, or refused.
        """


def connect(url: str, model: str, timeout: float, attempts: int) -> Transport:
    """Returns a connection to a server, which is made at the first request.

    Args:
        url: `grpc://host:8500`, `http://host:8501`; `grpcs` and `https` are encrypted.
        model: the model's name on the server.
        timeout: seconds that a request may take; by gRPC with all attempts, by REST each.
        attempts: how often to send a request to a server that is busy or not there; by gRPC at
            most 5.

    Raises:
        InputError: the URL is of another kind.
    """
    parts = urlsplit(url)
    if parts.scheme in ("grpc", "grpcs") and parts.netloc:
        return Grpc(url, model, timeout, attempts)
    if parts.scheme in ("http", "https") and parts.netloc:
        return Rest(url, model, timeout, attempts)
    raise InputError(f"{url}: expected grpc://HOST:PORT or http://HOST:PORT")


class Grpc:
    """Sends requests by PredictionService, pixels and floats as they are."""

    def __init__(self, url: str, model: str, timeout: float, attempts: int):
        self.url, self.model, self.timeout = url, model, timeout
        parts = urlsplit(url)
        options = [
            # An answer about many images has more than the usual 4 MiB.
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
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
            reason = one_line(error.details() or "")[:200]
            raise InputError(f"{self.url}: {error.code().name}: {reason}") from None
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}


class Rest:
    """Sends requests as JSON, with bytes in base64."""

    def __init__(self, url: str, model: str, timeout: float, attempts: int):
        self.url = f"{url.rstrip('/')}/v1/models/{model}:predict"
        retries = urllib3.Retry(
            attempts - 1,
            backoff_factor=BACKOFF,
            status_forcelist=BUSY,
            # A prediction may be asked for twice, although it is a POST.
            allowed_methods=None,
            raise_on_status=False,
        )
        self.pool = urllib3.PoolManager(retries=retries, timeout=timeout)

    def predict(self, signature: str, inputs: Inputs) -> Outputs:
        values = {name: _as_json(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": values}).encode()
        try:
            answer = self.pool.request("POST", self.url, body=body)
            content = json.loads(answer.data)
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            reason = one_line(cause)[:200]
            raise InputError(f"{self.url}: no answer: {reason}") from None
        except ValueError:
            raise InputError(f"{self.url}: HTTP {answer.status}, not JSON as a model's") from None
        if answer.status != 200 or "outputs" not in content:
            reason = one_line(content.get("error", "no outputs"))[:200]
            raise InputError(f"{self.url}: HTTP {answer.status}: {reason}")
        return {name: np.array(value) for name, value in content["outputs"].items()}


def _retries(attempts: int) -> str:
    """Returns a service config by which gRPC itself sends requests again."""
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


def _as_json(value: list[bytes] | NDArray[Any]) -> list[Any]:
    """Returns an input as JSON has it: bytes in base64, numbers as they are."""
    if isinstance(value, list):
        return [{"b64": base64.b64encode(data).decode()} for data in value]
    return value.tolist()
