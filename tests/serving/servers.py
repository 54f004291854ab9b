"""TensorFlow Serving's gRPC over a model in the C++ loader, for lack of the server.

The rules are the server's: what a request leaves out has the signature's default, a request that
names no version is for the newest, and another model or version is not found. `rest_server` is the
other protocol. Sources in tensorflow/serving: tensorflow_serving/servables/tensorflow
(predict_util.cc, get_model_metadata_impl.cc) and model_servers/get_model_status_impl.cc.
"""

import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.c_api import CModel

NAME = "retinaface"


class NotServed(Exception):
    """Says that there is no such model, or no such version of it."""


@dataclass(frozen=True)
class ServedModel:
    """Holds the one version that is served."""

    model: CModel
    version: int

    @staticmethod
    def load(folder: Path) -> "ServedModel":
        return ServedModel(CModel(folder), int(folder.name))

    def find(self, name: str, version: int | None) -> model_pb2.ModelSpec:
        """Returns the model and the version that a request is for, None being the newest."""
        if name != NAME or version not in (None, self.version):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise NotServed(f"Servable not found for request: {wanted}")
        return model_pb2.ModelSpec(name=NAME, version={"value": self.version})


def metadata_of(
    served: ServedModel, name: str, version: int | None
) -> tuple[model_pb2.ModelSpec, get_model_metadata_pb2.SignatureDefMap]:
    spec = served.find(name, version)
    return spec, get_model_metadata_pb2.SignatureDefMap(signature_def=served.model.signatures)


def status_of(
    served: ServedModel, name: str, version: int | None
) -> get_model_status_pb2.GetModelStatusResponse:
    spec = served.find(name, version)
    answer = get_model_status_pb2.GetModelStatusResponse()
    state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    answer.model_version_status.add(version=spec.version.value, state=state, status={})
    return answer


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


def named_in(request):
    """Returns the name and the version that a request by gRPC names, None for the newest."""
    spec = request.model_spec
    return spec.name, spec.version.value if spec.HasField("version") else None


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, served: ServedModel, trouble: Trouble):
        self.served, self.trouble = served, trouble

    def Predict(self, request, context):
        if self.trouble.comes():
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        signature = request.model_spec.signature_name or "serving_default"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            spec = self.served.find(*named_in(request))
            outputs = self.served.model(signature, **inputs)
        except NotServed as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except AssertionError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = predict_pb2.PredictResponse(model_spec=spec)
        answer.model_spec.signature_name = signature
        for name, value in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer

    def GetModelMetadata(self, request, context):
        try:
            spec, signatures = metadata_of(self.served, *named_in(request))
        except NotServed as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        answer = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=spec)
        answer.metadata["signature_def"].Pack(signatures)
        return answer


class Status(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, served: ServedModel):
        self.served = served

    def GetModelStatus(self, request, context):
        try:
            return status_of(self.served, *named_in(request))
        except NotServed as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))


@contextmanager
def grpc_server(served: ServedModel, trouble: Trouble) -> Iterator[str]:
    server = grpc.server(
        futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)]
    )
    service = Prediction(served, trouble)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Status(served), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"grpc://localhost:{port}"
    server.stop(None).wait()
