"""The client against both protocols, each over the exported model."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import yaml
from google.protobuf import text_format
from serving.rest_server import rest_server
from serving.servers import ServedModel, Trouble, grpc_server
from tensorflow_serving.config import model_server_config_pb2

from retinaface_tf.data.decode import decode_image
from retinaface_tf.errors import ImageError, InputError
from retinaface_tf.serving.client import Client

CONFIGS = Path(__file__).parents[3] / "configs" / "serving"
BOTH = {"score_threshold": 0.6, "nms_iou": 0.1}


@pytest.fixture(scope="module")
def trouble():
    return Trouble()


@pytest.fixture(scope="module")
def urls(saved_model, trouble):
    served = ServedModel.load(saved_model)
    with grpc_server(served, trouble) as by_grpc, rest_server(served, trouble) as by_rest:
        yield {"grpc": by_grpc, "rest": by_rest}


@pytest.fixture(params=["grpc", "rest"])
def url(request, urls, trouble):
    trouble.__init__()
    return urls[request.param]


def assert_as(tiny, file, answer, **thresholds):
    """Asserts that an answer is the detector's bit for bit: JSON keeps floats in full, too."""
    expected = tiny(decode_image(file)[None], **thresholds)
    count = int(expected.num_detections[0])
    assert answer.error is ImageError.NONE
    assert len(answer.scores) == count > 0
    for name in ("boxes", "scores", "landmarks"):
        theirs = getattr(expected, name)[0, :count]
        np.testing.assert_array_equal(getattr(answer, name), theirs, err_msg=name)


def test_the_client_gets_the_detectors_answers(url, tiny, kinds, trouble):
    files = list(kinds.values())[:5]
    answers = Client(url, batch=2).detect([*files[:3], b"garbage", *files[3:]])
    assert trouble.requests == 3
    assert answers.pop(3).error is ImageError.UNKNOWN_KIND
    for file, answer in zip(files, answers, strict=True):
        assert_as(tiny, file, answer)


def test_thresholds_go_along(url, tiny, kinds):
    files = list(kinds.values())[:3]
    answers = Client(url).detect(files, **BOTH)
    for file, answer in zip(files, answers, strict=True):
        assert_as(tiny, file, answer, **BOTH)


def test_by_grpc_one_threshold_may_be_left_out(urls, tiny, kinds, trouble):
    trouble.__init__()
    [answer] = Client(urls["grpc"]).detect([kinds["PNG"]], score_threshold=0.6)
    assert_as(tiny, kinds["PNG"], answer, score_threshold=0.6)


def test_by_rest_one_threshold_alone_is_refused_by_name(urls, kinds, trouble):
    trouble.__init__()
    with pytest.raises(InputError, match=r"expected both thresholds.*found score_threshold"):
        Client(urls["rest"]).detect([kinds["PNG"]], score_threshold=0.6)


def test_images_may_be_resized_by_the_server(url, kinds):
    [resized] = Client(url).detect([kinds["JPEG"]], resized=True, **BOTH)
    [whole] = Client(url).detect([kinds["JPEG"]], **BOTH)
    assert len(resized.scores) > 0
    assert resized.boxes.shape != whole.boxes.shape or (resized.boxes != whole.boxes).any()


def test_no_images_are_no_request(url, trouble):
    assert Client(url).detect([]) == []
    assert trouble.requests == 0


def test_a_busy_server_is_asked_again(url, kinds, trouble):
    trouble.busy = 2
    assert len(Client(url, attempts=3).detect([kinds["PNG"]])) == 1
    assert trouble.requests == 3


def test_a_server_that_stays_busy_is_given_up(url, kinds, trouble):
    trouble.busy = 9
    with pytest.raises(InputError, match=r"UNAVAILABLE: busy|HTTP 503: busy"):
        Client(url, attempts=2).detect([kinds["PNG"]])
    assert trouble.requests == 2


def test_a_slow_server_is_not_waited_for(url, kinds, trouble):
    trouble.slow = 1.0
    start = time.monotonic()
    with pytest.raises(InputError, match=r"DEADLINE_EXCEEDED|no answer: .*timed out"):
        Client(url, timeout=0.2, attempts=1).detect([kinds["PNG"]])
    assert time.monotonic() - start < 0.9


def test_a_server_that_is_not_there_is_named(kinds):
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        place = f"localhost:{unused.getsockname()[1]}"
        for scheme, said in (("grpc", "UNAVAILABLE"), ("http", "no answer")):
            expected = rf"{scheme}://{place}.*: {said}: .*docker compose .*compose\.yaml up"
            with pytest.raises(InputError, match=expected):
                Client(f"{scheme}://{place}", attempts=1).detect([kinds["PNG"]])


def test_a_model_that_the_server_does_not_have_is_refused(url, kinds):
    with pytest.raises(InputError, match="Servable not found"):
        Client(url, "another").detect([kinds["PNG"]])


@pytest.mark.parametrize("wrong", ["localhost:8500", "ftp://localhost", "grpc://"])
def test_another_kind_of_url_is_refused(wrong):
    with pytest.raises(InputError, match="expected grpc://HOST:PORT or http://HOST:PORT"):
        Client(wrong)


def post(url, body):
    request = urllib.request.Request(
        f"{url}/v1/models/retinaface:predict", json.dumps(body).encode()
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def test_the_readmes_json_is_answered(urls, kinds, trouble):
    trouble.__init__()
    file = {"b64": base64.b64encode(kinds["JPEG"]).decode()}
    rows = post(urls["rest"], {"signature_name": "detect_bytes", "instances": [file, file]})
    named = {"image_bytes": file, "score_threshold": 0.9, "nms_iou": 0.4}
    with_thresholds = post(urls["rest"], {"instances": [named]})
    columns = post(urls["rest"], {"inputs": {**named, "image_bytes": [file]}})
    assert len(rows["predictions"]) == 2
    [row] = with_thresholds["predictions"]
    assert row["boxes"] == columns["outputs"]["boxes"][0]
    assert min(row["scores"][: row["num_detections"]]) > 0.9
    assert rows["predictions"][0]["scores"][0] == row["scores"][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "further"),
    [
        ("grpc", []),
        ("rest", ["--resized", "--score_threshold=0.02", "--nms_iou=0.4"]),
    ],
)
def test_the_command_draws_what_the_server_found(
    urls, command, kinds, tmp_path, scheme, further, trouble
):
    trouble.__init__()
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(kinds["PNG"])
    bad.write_bytes(b"garbage")
    out = tmp_path / "out"
    done = command(
        *("-m", "retinaface_tf.serving.client", good, bad),
        *(f"--url={urls[scheme]}", f"--out={out}", "--score=0.1", *further),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: 1 of 2 refused: {bad} (UNKNOWN_KIND)"
    drawn = decode_image((out / "good.png.jpg").read_bytes()).numpy()
    assert drawn.shape == decode_image(kinds["PNG"]).shape
    assert [path.name for path in out.iterdir()] == ["good.png.jpg"]


def test_images_whose_pictures_would_have_one_name_are_refused(command):
    done = command("-m", "retinaface_tf.serving.client", "a/1.jpg", "b/1.jpg", "b/2.jpg")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: 1.jpg: several images")


def test_the_servers_config_names_the_model_as_the_client_does():
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((CONFIGS / "models.config").read_text(), config)
    [model] = config.model_config_list.config
    assert (model.name, model.base_path) == ("retinaface", "/models/retinaface")
    assert model.model_version_policy.latest.num_versions == 1


def test_the_compose_file_mounts_what_it_names():
    [service] = yaml.safe_load((CONFIGS / "compose.yaml").read_text())["services"].values()
    mounted = {volume.split(":")[0] for volume in service["volumes"]}
    for file in ("models.config", "batching.config"):
        assert f"./{file}" in mounted
        assert (CONFIGS / file).is_file()
        assert any(f"/etc/serving/{file}" in argument for argument in service["command"])


def test_the_compose_file_serves_a_fixed_version_to_this_machine_alone():
    [service] = yaml.safe_load((CONFIGS / "compose.yaml").read_text())["services"].values()
    assert re.fullmatch(r"tensorflow/serving:\$\{TAG:-\d+\.\d+\.\d+\}", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.fixture(scope="module")
def real_server(saved_model, tmp_path_factory):
    """Returns the URL of TensorFlow Serving by gRPC: that given, or one started here."""
    if "RETINAFACE_SERVING_URL" in os.environ:
        yield os.environ["RETINAFACE_SERVING_URL"]
        return
    program = shutil.which("tensorflow_model_server")
    if program is None:
        pytest.skip("no tensorflow_model_server on PATH, and no RETINAFACE_SERVING_URL")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    arguments = ["--model_name=retinaface", f"--model_base_path={saved_model.parent}"]
    process = subprocess.Popen([program, f"--port={port}", *arguments])
    yield f"grpc://localhost:{port}"
    process.terminate()
    process.wait()


def test_a_real_server_answers_as_the_detector_does(real_server, tiny, kinds):
    """At RETINAFACE_SERVING_URL some model answers; started here, it is that of these tests."""
    files = [kinds["JPEG"], b"garbage", kinds["PNG"]]
    client = Client(real_server)
    deadline = time.monotonic() + 120
    while True:
        try:
            answers = client.detect(files)
            break
        except InputError:
            assert time.monotonic() < deadline
            time.sleep(1)
    assert [answer.error for answer in answers] == [0, ImageError.UNKNOWN_KIND, 0]
    if "RETINAFACE_SERVING_URL" not in os.environ:
        assert_as(tiny, files[0], answers[0])
