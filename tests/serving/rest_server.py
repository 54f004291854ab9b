"""TensorFlow Serving's REST over a model in the C++ loader, for lack of the server.

By REST all inputs of a signature have to be named, or there is just one. Sources in
tensorflow/serving: tensorflow_serving/util/json_tensor.cc (tensors),
tensorflow_serving/model_servers/http_rest_api_handler.cc (paths) and http_rest_api_util.cc.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from serving.servers import NotServed, ServedModel, Trouble, metadata_of, status_of

PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(:predict|/metadata)?")


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


def handler(served: ServedModel, trouble: Trouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if trouble.comes():
                return self.answer(503, {"error": "busy"})
            self.reply({":predict": lambda *spec: predict(served, *spec, json.loads(content))})

        def do_GET(self):
            self.reply(
                {
                    None: lambda *spec: as_json(status_of(served, *spec)),
                    "/metadata": lambda *spec: describe(served, *spec),
                }
            )

        def reply(self, answers):
            """Answers by what stands behind model and version in the path."""
            found = PATH.fullmatch(self.path)
            name, version, rest = found.groups() if found else (None, None, "")
            if rest not in answers:
                return self.answer(404, {"error": f"Malformed request: {self.command} {self.path}"})
            try:
                self.answer(200, answers[rest](name, version and int(version)))
            except NotServed as error:
                self.answer(404, {"error": str(error)})
            except (BadRequest, AssertionError) as error:
                self.answer(400, {"error": str(error)})

        def answer(self, status, body):
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler


def predict(served, name, version, body):
    served.find(name, version)
    signature = body.get("signature_name", "serving_default")
    given = tensors(body, dict(served.model.signatures[signature].inputs))
    outputs = {n: v.tolist() for n, v in served.model(signature, **given).items()}
    if "inputs" in body:
        return {"outputs": outputs}
    each = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in each]}


def describe(served, name, version):
    spec, signatures = metadata_of(served, name, version)
    return {"model_spec": as_json(spec), "metadata": {"signature_def": as_json(signatures)}}


def as_json(message):
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


@contextmanager
def rest_server(served: ServedModel, trouble: Trouble) -> Iterator[str]:
    server = ThreadingHTTPServer(("localhost", 0), handler(served, trouble))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
