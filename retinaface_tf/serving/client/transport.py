"""Requests to TensorFlow Serving by gRPC or REST, with NumPy on both sides."""

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

Arrays = dict[str, NDArray[Any]]
# First pause before a request is made again; each further one is twice as long.
BACKOFF = 0.2
BUSY = (429, 502, 503, 504)  # statuses of HTTP after which it is


class Transport(Protocol):
    def predict(self, signature: str, inputs: Mapping[str, Any]) -> Arrays:
        """Asks a signature of the model.

        Raises:
            InputError: no answer in time, or a refusal.
        """


def connect(url: str, model: str, timeout: float, attempts: int) -> Transport:
    """A connection to a server, which is made when it is first asked.

    Args:
        url: `grpc://host:8500`, `http://host:8501`; `grpcs` and `https` are encrypted.
        model: the model's name on the server.
        timeout: seconds that a request may take, all attempts together by gRPC, each by REST.
        attempts: how often to ask a server that is not there or busy; 5 at most by gRPC.

    Raises:
        InputError: another kind of URL.
    """
    parts = urlsplit(url)
    if parts.scheme in ("grpc", "grpcs") and parts.netloc:
        return Grpc(url, model, timeout, attempts)
    if parts.scheme in ("http", "https") and parts.netloc:
        return Rest(url, model, timeout, attempts)
    raise InputError(f"{url}: expected grpc://HOST:PORT or http://HOST:PORT")


class Grpc:
    """By PredictionService, which sends pixels and floats as they are."""

    def __init__(self, url: str, model: str, timeout: float, attempts: int):
        self.url, self.model, self.timeout = url, model, timeout
        parts = urlsplit(url)
        options = [
            # An answer about many images is more than the 4 MiB that are usual.
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

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> Arrays:
        request = predict_pb2.PredictRequest(
            model_spec=model_pb2.ModelSpec(name=self.model, signature_name=signature),
            inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
        )
        try:
            answer = self.stub.Predict(request, timeout=self.timeout)
        except grpc.RpcError as error:
            reason = one_line(error.details() or "")
            raise InputError(f"{self.url}: {error.code().name}: {reason}") from None
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}


class Rest:
    """By JSON, with bytes in base64."""

    def __init__(self, url: str, model: str, timeout: float, attempts: int):
        self.url = f"{url.rstrip('/')}/v1/models/{model}:predict"
        retries = urllib3.Retry(
            attempts - 1,
            backoff_factor=BACKOFF,
            status_forcelist=BUSY,
            # The same question twice does no harm, although it is a POST.
            allowed_methods=None,
            raise_on_status=False,
        )
        self.pool = urllib3.PoolManager(retries=retries, timeout=timeout)

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> Arrays:
        values = {name: _as_json(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": values}).encode()
        try:
            answer = self.pool.request("POST", self.url, body=body)
            told = json.loads(answer.data)
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            reason = one_line(cause)
            raise InputError(f"{self.url}: no answer: {reason}") from None
        except ValueError:
            raise InputError(f"{self.url}: HTTP {answer.status}, not JSON as a model's") from None
        if answer.status != 200 or "outputs" not in told:
            reason = one_line(told.get("error", "no outputs"))
            raise InputError(f"{self.url}: HTTP {answer.status}: {reason}")
        return {name: np.array(value) for name, value in told["outputs"].items()}


def _retries(attempts: int) -> str:
    """Service config of gRPC, which then asks again by itself."""
    if attempts < 2:
        return "{}"
    policy = {
        "maxAttempts": min(attempts, 5),
        "initialBackoff": f"{BACKOFF}s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
    }
    return json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_as_json(element) for element in value]
    return np.asarray(value).tolist()
