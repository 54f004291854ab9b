"""TensorFlow Serving's two protocols over a model in the C++ loader, for lack of the server.

Their rules are the server's: by gRPC what a request leaves out has the signature's default; by REST
all inputs have to be named, or there is just one (tensorflow_serving/util/json_tensor.cc).
"""

import base64
import json
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc
import numpy as np
import tensorflow as tf
from serving.c_api import CModel
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

NAME = "retinaface"


class Trouble:
    """What a server is to do first: be busy so many times, be slow by so many seconds."""

    def __init__(self):
        self.busy, self.slow, self.requests = 0, 0.0, 0

    def comes(self) -> bool:
        """Tells whether this request is one too many."""
        self.requests += 1
        time.sleep(self.slow)
        self.busy -= 1
        return self.busy >= 0


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model: CModel, trouble: Trouble):
        self.model, self.trouble = model, trouble

    def Predict(self, request, context):
        if self.trouble.comes():
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        if request.model_spec.name != NAME:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found: {request.model_spec}")
        signature = request.model_spec.signature_name or "serving_default"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            outputs = self.model(signature, **inputs)
        except AssertionError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer


@contextmanager
def grpc_server(model: CModel, trouble: Trouble) -> Iterator[str]:
    server = grpc.server(
        futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)]
    )
    service = Prediction(model, trouble)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"grpc://localhost:{port}"
    server.stop(None).wait()


class BadRequest(Exception):
    pass


def tensors(body, inputs):
    """Returns a request's tensors; `inputs` are the signature's."""
    if "instances" in body:
        return from_rows(body["instances"], inputs)
    if "inputs" not in body:
        raise BadRequest("Missing 'inputs' or 'instances' key")
    values = body["inputs"]
    if not isinstance(values, dict) or set(values) == {"b64"}:
        if len(inputs) > 1:
            raise BadRequest("inputs is a plain value/list, but expecting an object")
        values = {next(iter(inputs)): values}
    for name in inputs:
        if name not in values:
            raise BadRequest(f"Missing named input: {name} in 'inputs' object.")
    return {name: tensor(values[name], inputs[name].dtype) for name in inputs}


def from_rows(rows, inputs):
    if not isinstance(rows[0], dict) or set(rows[0]) == {"b64"}:
        if len(inputs) > 1:
            raise BadRequest("instances is a plain list, but expecting list of objects")
        return {name: tensor(rows, info.dtype) for name, info in inputs.items()}
    for row in rows:
        if set(row) != set(inputs):
            raise BadRequest(f"keys must be equal to: {','.join(inputs)}")
    return {name: tensor([row[name] for row in rows], inputs[name].dtype) for name in inputs}


def tensor(value, dtype):
    if dtype == tf.string.as_datatype_enum:
        values = value if isinstance(value, list) else [value]
        decoded = np.empty(len(values), object)
        decoded[:] = [base64.b64decode(each["b64"]) for each in values]
        return decoded if isinstance(value, list) else decoded[0]
    return np.array(value, tf.as_dtype(dtype).as_numpy_dtype)


def handler(model: CModel, trouble: Trouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if trouble.comes():
                return self.answer(503, {"error": "busy"})
            if self.path != f"/v1/models/{NAME}:predict":
                return self.answer(404, {"error": f"Servable not found: {self.path}"})
            body = json.loads(content)
            signature = body.get("signature_name", "serving_default")
            try:
                given = tensors(body, dict(model.signatures[signature].inputs))
                outputs = {n: v.tolist() for n, v in model(signature, **given).items()}
            except (BadRequest, AssertionError) as error:
                return self.answer(400, {"error": str(error)})
            if "inputs" in body:
                return self.answer(200, {"outputs": outputs})
            each = zip(*outputs.values(), strict=True)
            rows = [dict(zip(outputs, row, strict=True)) for row in each]
            return self.answer(200, {"predictions": rows})

        def answer(self, status, body):
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler


@contextmanager
def rest_server(model: CModel, trouble: Trouble) -> Iterator[str]:
    server = ThreadingHTTPServer(("localhost", 0), handler(model, trouble))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
