"""Sends requests to TensorFlow Serving by REST: JSON, with bytes in base64.

A server that sends slowly or without end, asks to retry in an hour, or redirects to another host
costs no more than the time and memory that the caller allowed.
"""

import base64
import io
import json
import socket
import ssl
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.serving.client.answer import OUTPUTS
from retinaface_tf.serving.client.protocol import BACKOFF, MAX_ANSWER, START_SERVER, Inputs, Outputs

BUSY = (429, 502, 503, 504)  # statuses after which a request is sent again


class _Answer(NamedTuple):
    status: int
    content: bytes


class Rest:
    """Sends requests by HTTP; follows no redirects, and opens a new connection for each request."""

    def __init__(self, url: str, model: str, timeout: float, attempts: int):
        self.url = f"{url.rstrip('/')}/v1/models/{model}:predict"
        self.timeout, self.attempts = timeout, attempts

    def predict(self, signature: str, inputs: Inputs) -> Outputs:
        values = {name: _as_json(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": values}).encode()
        answer = self._ask(body)
        if len(answer.content) > MAX_ANSWER:
            raise InputError(f"{self.url}: expected an answer of at most {MAX_ANSWER:,} bytes")
        try:
            content = json.loads(answer.content)
        except (ValueError, RecursionError):
            raise InputError(f"{self.url}: HTTP {answer.status}, not a model's JSON") from None
        outputs = content.get("outputs") if isinstance(content, dict) else None
        if answer.status != 200 or not isinstance(outputs, dict):
            reason = content.get("error") if isinstance(content, dict) else None
            reason = one_line(reason or "no outputs by name")
            raise InputError(f"{self.url}: HTTP {answer.status}: {reason}")
        return {name: self._read(name, outputs[name]) for name in OUTPUTS if name in outputs}

    def _ask(self, body: bytes) -> _Answer:
        """Sends a request until it is answered, while attempts and time last."""
        deadline = time.monotonic() + self.timeout
        for attempt in range(1, self.attempts + 1):
            is_last = attempt == self.attempts
            try:
                answer = _post(self.url, body, deadline)
                if is_last or answer.status not in BUSY:
                    return answer
            except (OSError, HTTPException) as error:
                if is_last or isinstance(error, TimeoutError):
                    raise self._no_answer(error) from None
            pause = BACKOFF * 2 ** (attempt - 1)
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
        raise self._no_answer(TimeoutError())

    def _no_answer(self, error: Exception) -> InputError:
        if isinstance(error, TimeoutError):
            return InputError(f"{self.url}: no answer: timed out after {self.timeout:g} s")
        hint = f"; {START_SERVER}" if isinstance(error, ConnectionRefusedError) else ""
        return InputError(f"{self.url}: no answer: {one_line(error)}{hint}")

    def _read(self, name: str, value: Any) -> NDArray[Any]:
        try:
            return np.array(value)
        # For lists of different lengths.
        except ValueError:
            raise InputError(f"{self.url}: `{name}` is not an array") from None


def _post(url: str, body: bytes, deadline: float) -> _Answer:
    """Sends a request once.

    Raises:
        OSError: there is no connection; or, as TimeoutError, no whole answer before `deadline`.
        HTTPException: the answer is not HTTP.
    """
    parts = urlsplit(url)
    left = _left(deadline)
    with closing(_connection(parts.scheme, parts.netloc, left)) as connection:
        connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
        answer = HTTPResponse(_DeadlineReader(connection.sock, deadline), method="POST")  # type: ignore[arg-type]
        answer.begin()
        return _Answer(answer.status, answer.read(MAX_ANSWER + 1))


def _connection(scheme: str, place: str, timeout: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(place, timeout=timeout, context=ssl.create_default_context())
    return HTTPConnection(place, timeout=timeout)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a deadline, however little arrives at a time."""

    def __init__(self, connection: socket.socket, deadline: float):
        self._connection, self._deadline = connection, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Stands in for the socket when http.client reads an answer."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)


def _as_json(value: list[bytes] | NDArray[Any]) -> list[Any]:
    """Returns an input for JSON: bytes in base64, numbers as they are."""
    if isinstance(value, list):
        return [{"b64": base64.b64encode(data).decode()} for data in value]
    return value.tolist()
