"""Sends requests to TensorFlow Serving, with NumPy inputs and outputs."""

from typing import Protocol
from urllib.parse import urlsplit

from retinaface_tf.errors import InputError
from retinaface_tf.serving.client.by_grpc import Grpc
from retinaface_tf.serving.client.by_rest import Rest
from retinaface_tf.serving.client.protocol import Inputs, Outputs


class Transport(Protocol):
    def predict(self, signature: str, inputs: Inputs) -> Outputs:
        """Sends a request to a signature of the model, and returns its outputs.

        Raises:
            InputError: the server did not answer in time, sent too much, or refused.
        """


def connect(url: str, model: str, timeout: float, attempts: int) -> Transport:
    """Returns a connection to a server, which is opened at the first request.

    Args:
        url: `grpc://host:8500`, `http://host:8501`; `grpcs` and `https` are encrypted.
        model: the model's name on the server.
        timeout: seconds that a request may take, including all attempts and the whole answer.
        attempts: how often to send a request to a server that is busy or absent; at most 5 by
            gRPC.

    Raises:
        InputError: the URL is of another kind.
    """
    expected = f"{url}: expected grpc://HOST:PORT or http://HOST:PORT"
    try:
        parts = urlsplit(url)
        is_server = bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        raise InputError(expected) from None
    if is_server and parts.scheme in ("grpc", "grpcs"):
        return Grpc(url, model, timeout, attempts)
    if is_server and parts.scheme in ("http", "https"):
        return Rest(url, model, timeout, attempts)
    raise InputError(expected)
