"""The client and servers that are slow, endless, or no model's at all."""

import json
import resource
import socket
import time
from concurrent import futures
from contextlib import contextmanager
from threading import Event, Thread

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from retinaface_tf.errors import InputError
from retinaface_tf.serving.client import Client
from retinaface_tf.serving.client.protocol import MAX_ANSWER

TensorProto = type(tf.make_tensor_proto(0))
GOOD = {
    "boxes": np.zeros((1, 2, 4), np.float32),
    "scores": np.zeros((1, 2), np.float32),
    "landmarks": np.zeros((1, 2, 5, 2), np.float32),
    "num_detections": np.array([0], np.int32),
    "error": np.array([0], np.int32),
}
AS_LISTS = {name: values.tolist() for name, values in GOOD.items()}
HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def http_server(*parts, pause=0.0):
    """Answers each request with such parts, and `pause` seconds between them, until it ends.

    Yields its URL and the requests so far.
    """
    ended, requests = Event(), []
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection:
            requests.append(connection.recv(1 << 20))
            try:
                for part in parts[0] if callable(getattr(parts[0], "__next__", None)) else parts:
                    connection.sendall(part)
                    if ended.wait(pause):
                        return
            except OSError:
                pass

    def serve():
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            Thread(target=answer, args=(connection,), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", requests
    ended.set()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def response(content, status=b"200 OK"):
    length = str(len(content)).encode()
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + length + b"\r\n\r\n" + content


def refusal(url, **options):
    start = time.monotonic()
    with pytest.raises(InputError, match=f"^{url}") as error:
        Client(url, **({"timeout": 1.0} | options)).detect([b"image"])
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400
    return str(error.value), time.monotonic() - start


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD, *[b"X-A: b\r\n"] * 90],
        [b"H"] * 90,
        [HEAD + b"Content-Length: 1000\r\n\r\n", *[b" "] * 90],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 90],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 90,
    ],
    ids=["headers", "status", "content", "chunks", "continue"],
)
def test_a_server_that_drips_is_left_at_the_deadline(parts):
    with http_server(*parts, pause=0.2) as (url, _):
        message, seconds = refusal(url, attempts=3)
    assert "timed out" in message
    assert seconds < 2


def test_a_server_that_asks_to_come_back_in_an_hour_is_not_waited_for():
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 2\r\n\r\n{}"
    with http_server(busy) as (url, requests):
        message, seconds = refusal(url, attempts=3, timeout=5.0)
    assert "HTTP 503" in message
    assert (len(requests), seconds < 3) == (3, True)


def test_an_endless_answer_is_left_at_the_largest_size():
    def endless():
        yield HEAD + b"\r\n["
        while True:
            yield b"1," * 100_000

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with http_server(endless()) as (url, _):
        message, _ = refusal(url, timeout=60.0)
    assert f"{MAX_ANSWER:,}" in message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Same", b"308 Moved"])
def test_images_are_not_sent_on_to_another_host(status):
    with http_server(response(b"")) as (other, requests):
        moved = b"HTTP/1.1 " + status + b"\r\nLocation: " + other.encode() + b"/\r\n"
        with http_server(moved + b"Content-Length: 0\r\n\r\n") as (url, _):
            message, _ = refusal(url)
    assert f"HTTP {status[:3].decode()}" in message
    assert requests == []


def answered(**outputs):
    return json.dumps({"outputs": AS_LISTS | outputs}).encode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="depth"),
        pytest.param(b"3", id="a number"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"outputs"', id="a word"),
        pytest.param(b"{}", id="no outputs"),
        pytest.param(b'{"outputs": [[1]]}', id="one output"),
        pytest.param(b'{"outputs": {}}', id="no output"),
        pytest.param(b'{"outputs": null}', id="null"),
        pytest.param(b'{"error": ["\x1b[31m", {"a": 1}]}', id="an error that is no text"),
        pytest.param(answered(boxes=[[[1, 2], [3]]]), id="lists of several lengths"),
        pytest.param(answered(boxes="left"), id="a word for boxes"),
        pytest.param(answered(boxes={"b64": "AAAA"}), id="bytes for boxes"),
        pytest.param(answered(scores=[["high", "low"]]), id="words for scores"),
        pytest.param(answered(num_detections=[9**99]), id="a count without end"),
        pytest.param(answered(num_detections=[True]), id="a count that is true"),
        pytest.param(answered(num_detections=[1], boxes=[[[float("nan")] * 4] * 2]), id="NaN"),
        pytest.param(answered(error=[77]), id="a newer code"),
        pytest.param(answered(error=[None]), id="null for a code"),
    ],
)
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request"])
def test_by_rest_an_answer_of_no_model_is_one_line(content, status):
    with http_server(response(content, status)) as (url, _):
        refusal(url)


@pytest.mark.parametrize("start", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_a_server_of_another_protocol_is_one_line(start):
    with http_server(start) as (url, _):
        message, _ = refusal(url, attempts=2)
    assert "no answer" in message


@contextmanager
def grpc_server(answer):
    class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            return answer

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}"
    server.stop(None).wait()


def prediction(**changes):
    answer = predict_pb2.PredictResponse()
    for name, value in (GOOD | changes).items():
        if value is not None:
            proto = value if isinstance(value, TensorProto) else tf.make_tensor_proto(value)
            answer.outputs[name].CopyFrom(proto)
    return answer


def proto(text):
    return text_format.Parse(text, TensorProto())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(dict.fromkeys(GOOD), id="none"),
        pytest.param(dict.fromkeys(list(GOOD)[1:]), id="one output"),
        pytest.param({"boxes": np.zeros((0, 2, 4), np.float32)}, id="too few rows"),
        pytest.param({"boxes": np.zeros((1, 2, 3), np.float32)}, id="another shape"),
        pytest.param({"scores": np.array([["high", "low"]])}, id="words"),
        pytest.param({"num_detections": np.array([-1], np.int32)}, id="a count below zero"),
        pytest.param({"num_detections": np.array([10**6], np.int32)}, id="a count too high"),
        pytest.param(
            {"num_detections": np.array([1], np.int32), "boxes": np.full((1, 2, 4), np.nan)},
            id="NaN",
        ),
        pytest.param({"error": np.array([77], np.int32)}, id="a newer code"),
        pytest.param({"error": proto("dtype: DT_INVALID")}, id="no type"),
        pytest.param({"error": proto("dtype: DT_VARIANT")}, id="a type without numbers"),
        pytest.param(
            {"error": proto("dtype: DT_RESOURCE tensor_shape {dim {size: 1}}")}, id="handle"
        ),
        pytest.param(
            {"boxes": proto("dtype: DT_FLOAT tensor_shape {dim {size: 4}} tensor_content: 'abc'")},
            id="content of another size",
        ),
        pytest.param(
            {
                "boxes": proto(
                    "dtype: DT_FLOAT float_val: 1 tensor_shape {"
                    + "dim {size: 1} " * 8
                    + "dim {size: 1099511627776}}"
                )
            },
            id="a terabyte of ones",
        ),
        pytest.param(
            {"boxes": proto("dtype: DT_FLOAT tensor_shape {dim {size: -1}}")}, id="no size"
        ),
        pytest.param(
            {"boxes": proto("dtype: DT_FLOAT tensor_shape {unknown_rank: true}")}, id="no rank"
        ),
        pytest.param({"boxes": np.zeros(MAX_ANSWER // 4 + 1, np.float32)}, id="too large"),
    ],
)
def test_by_grpc_an_answer_of_no_model_is_one_line(changes):
    with grpc_server(prediction(**changes)) as url:
        refusal(url, timeout=20.0)


def test_a_good_answer_passes_by_both():
    with grpc_server(prediction()) as url:
        assert len(Client(url).detect([b"image"])[0].scores) == 0
    with http_server(response(answered())) as (url, _):
        assert len(Client(url).detect([b"image"])[0].scores) == 0
