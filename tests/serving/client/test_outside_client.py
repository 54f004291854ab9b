"""A client that knows nothing of this project, OpenVINO's ovmsclient, and both protocols."""

import numpy as np
import pytest
from ovmsclient import ModelNotFoundError, make_grpc_client, make_http_client
from serving.rest_server import rest_server
from serving.servers import NAME, ServedModel, Trouble, grpc_server

from retinaface_tf.data.decode import decode_image
from retinaface_tf.errors import ImageError


@pytest.fixture(scope="module")
def clients(saved_model):
    served = ServedModel.load(saved_model)
    with grpc_server(served, Trouble()) as by_grpc, rest_server(served, Trouble()) as by_rest:
        clients = {
            "grpc": make_grpc_client(by_grpc.removeprefix("grpc://")),
            "rest": make_http_client(by_rest.removeprefix("http://")),
        }
        yield clients
        clients["grpc"].channel.close()
        clients["rest"].session.close()


@pytest.fixture(params=["grpc", "rest"])
def client(request, clients):
    return clients[request.param]


def test_it_gets_the_detectors_answers(client, tiny, kinds):
    inputs = {
        "image_bytes": [kinds["JPEG"], b"garbage"],
        "score_threshold": np.float32([0.6]),
        "nms_iou": np.float32([0.1]),
    }
    answer = client.predict(inputs, NAME, model_version=1, timeout=60)
    expected = tiny(decode_image(kinds["JPEG"])[None], score_threshold=0.6, nms_iou=0.1)
    for name, rows in expected._asdict().items():
        np.testing.assert_array_equal(np.float32(answer[name][0]), rows[0], err_msg=name)
    assert answer["num_detections"][0] > 0
    assert answer["error"].tolist() == [ImageError.NONE, ImageError.UNKNOWN_KIND]


def test_it_is_told_that_the_version_is_there(client):
    assert client.get_model_status(NAME, 1) == {
        1: {"state": "AVAILABLE", "error_code": 0, "error_message": ""}
    }


def test_by_grpc_it_is_told_the_inputs_and_outputs(clients):
    metadata = clients["grpc"].get_model_metadata(NAME, 1)
    assert metadata["model_version"] == 1
    assert metadata["inputs"] == {
        "image_bytes": {"shape": [-1], "dtype": "DT_STRING"},
        "score_threshold": {"shape": [], "dtype": "DT_FLOAT"},
        "nms_iou": {"shape": [], "dtype": "DT_FLOAT"},
    }
    assert metadata["outputs"]["boxes"] == {"shape": [-1, 100, 4], "dtype": "DT_FLOAT"}


def test_by_rest_it_is_told_all_signatures(clients):
    metadata = clients["rest"].get_model_metadata(NAME, 1)
    assert metadata["model_spec"] == {"name": NAME, "signature_name": "", "version": "1"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "detect_bytes", "detect_images", "detect_resized"} <= set(signatures)
    boxes = signatures["detect_bytes"]["outputs"]["boxes"]["tensor_shape"]
    assert [size["size"] for size in boxes["dim"]] == ["-1", "100", "4"]


@pytest.mark.parametrize("version", [0, 7])  # the client's default is 0
@pytest.mark.parametrize("ask", ["predict", "get_model_status", "get_model_metadata"])
def test_another_version_is_not_found(client, ask, version):
    inputs = [{"image_bytes": [b""]}] if ask == "predict" else []
    with pytest.raises(ModelNotFoundError, match=str(version)):
        getattr(client, ask)(*inputs, NAME, model_version=version)
