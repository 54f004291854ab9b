"""Requests to TensorFlow Serving, with NumPy on both sides."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from numpy.typing import NDArray

from retinaface_tf.errors import InputError
from retinaface_tf.serving.client.by_grpc import Grpc
from retinaface_tf.serving.client.by_rest import Rest


class Transport(Protocol):
    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Asks a signature of the model.

        Raises:
            InputError: no answer in time, one that is too large, or a refusal.
        """


def connect(url: str, model: str, timeout: float, attempts: int) -> Transport:
    """Prepares a connection to a server, which is made when it is first asked.

    Args:
        url: `grpc://host:8500`, `http://host:8501`; `grpcs` and `https` are encrypted.
        model: the model's name on the server.
        timeout: seconds that a request may take, all attempts and the whole answer together.
        attempts: how often to ask a server that is not there or busy; 5 at most by gRPC.

    Raises:
        InputError: another kind of URL.
    """
    expected = f"{url}: expected grpc://HOST:PORT or http://HOST:PORT"
    try:
        parts = urlsplit(url)
        is_server = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        raise InputError(expected) from None
    if is_server and parts.scheme in ("grpc", "grpcs"):
        return Grpc(url, model, timeout, attempts)
    if is_server and parts.scheme in ("http", "https"):
        return Rest(url, model, timeout, attempts)
    raise InputError(expected)
