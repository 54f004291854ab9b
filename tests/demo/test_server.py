"""The demo's server, spoken to in plain HTTP."""

import json
import socket
import threading
from contextlib import closing
from http.client import HTTPConnection
from io import BytesIO

import pytest
from PIL import Image

from retinaface_tf.demo.answers import MAX_BYTES, MAX_PIXELS
from retinaface_tf.demo.server import DemoServer
from retinaface_tf.errors import InputError
from retinaface_tf.samples import GRACE_HOPPER


@pytest.fixture
def request_(server):
    """Sends a request; returns status, headers and body, and checks what all answers have."""

    def send(method, path, body=None, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        port = server.server_address[1]
        with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path, body, names)
            response = connection.getresponse()
            answer = response.status, response.headers, response.read()
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in response.headers
        return answer

    return send


def error_of(answer):
    status, _, body = answer
    message = json.loads(body)["error"]
    assert message
    assert "\n" not in message
    return status, message


def test_an_image_is_answered_with_the_line_that_the_command_detect_writes(request_, detector):
    status, _, body = request_("POST", "/detect?name=me.jpg", GRACE_HOPPER.read_bytes())
    answer = json.loads(body)
    line = answer["line"]
    assert status == 200
    assert (line["file"], line["frame"], line["seconds"]) == ("me.jpg", None, None)
    assert detector.asked == [((line["height"], line["width"], 3), None)]
    best, _ = line["faces"]
    assert best["box"] == [10, 20, 50, 70]
    assert best["score"] == 0.9
    assert best["landmarks"][:2] == [[20, 21], [22, 23]]
    assert answer["milliseconds"] >= 0


def test_the_threshold_of_nms_reaches_the_detector_and_its_refusal_the_page(request_, detector):
    assert request_("POST", "/detect?nms_iou=0.25", GRACE_HOPPER.read_bytes())[0] == 200
    assert detector.asked[0][1] == 0.25
    refused = error_of(request_("POST", "/detect?nms_iou=0.99", GRACE_HOPPER.read_bytes()))
    assert refused == (400, "nms_iou: fixed at export")


@pytest.mark.parametrize(
    "body", [b"no image", GRACE_HOPPER.read_bytes()[:900], b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
def test_a_broken_image_is_answered_by_a_line_that_names_it(request_, body, detector):
    status, message = error_of(request_("POST", "/detect?name=a%0Ab.jpg", body))
    assert status == 400
    assert message.startswith("a b.jpg: ")
    assert detector.asked == []


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(request_, detector):
    claiming = BytesIO()
    Image.new("1", (6000, 6000)).save(claiming, "png")
    status, message = error_of(request_("POST", "/detect", claiming.getvalue()[:99]))
    assert status == 400
    assert "6000 x 6000" in message
    assert str(MAX_PIXELS) in message
    assert detector.asked == []


@pytest.mark.parametrize(
    "query", ["nms_iou=2", "nms_iou=nan", "nms_iou=x", "other=1", "name=a&name=b", "name"]
)
def test_a_question_that_is_none_is_refused(request_, query):
    assert error_of(request_("POST", f"/detect?{query}", b"x"))[0] == 400


def test_a_file_above_the_limit_is_refused_before_it_is_read(request_):
    refused = error_of(request_("POST", "/detect", None, Content_Length=str(MAX_BYTES + 1)))
    assert refused[0] == 413
    assert f"{MAX_BYTES >> 20} MiB" in refused[1]


@pytest.mark.parametrize(
    ("lengths", "status"),
    [("", 411), ("Content-Length: -1\r\n", 411), ("Content-Length: 9" + "9" * 5000, 413)]
    + [("Content-Length: 0\r\n", 400), ("Content-Length: 1\r\nContent-Length: 2\r\n", 411)],
)
def test_a_body_without_one_honest_length_is_refused(server, lengths, status):
    host, port = server.server_address
    with socket.create_connection((host, port), timeout=20) as raw:
        raw.sendall(f"POST /detect HTTP/1.1\r\nHost: {host}\r\n{lengths.strip()}\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(9999):
            answer += piece
    assert answer.split()[1] == str(status).encode()


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/pyproject.toml", "//etc/passwd", "/demo.html", "/detect"]
    + ["/demo.js/../../server.py", "/samples/../__init__.py"],
)
def test_no_path_leads_to_a_file_of_the_machine(request_, path):
    assert error_of(request_("GET", path))[0] == 404
    assert error_of(request_("POST", path + "x", b"x"))[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "["]
)
def test_another_name_that_resolves_to_this_machine_is_refused(request_, host):
    for method, path in (("GET", "/"), ("POST", "/detect")):
        assert error_of(request_(method, path, b"x", Host=host))[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000"])
def test_the_machine_itself_is_answered_by_its_names(request_, host):
    assert request_("GET", "/", Host=host)[0] == 200


def test_another_page_cannot_have_images_detected(request_, detector):
    photo = GRACE_HOPPER.read_bytes()
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        refused = request_("POST", "/detect", photo, Host="localhost:8000", Origin=origin)
        assert error_of(refused)[0] == 403
    own = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    assert request_("POST", "/detect", photo, **own)[0] == 200
    assert len(detector.asked) == 1


def test_the_page_asks_no_other_host(request_):
    for path in ("/", "/demo.css", "/demo.js"):
        status, _, body = request_("GET", path)
        assert status == 200
        assert not {b"https:", b"@import"} & set(body.split())
        assert body.count(b"http://") == body.count(b"http://www.w3.org/2000/svg")


def test_images_are_detected_one_at_a_time_and_the_page_does_not_wait(request_, detector):
    detector.pause = 0.2
    post = ("POST", "/detect", GRACE_HOPPER.read_bytes())
    threads = [threading.Thread(target=request_, args=post) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert request_("GET", "/")[0] == 200
    assert len(detector.asked) < 3
    for thread in threads:
        thread.join()
    assert len(detector.asked) == 3
    assert detector.most_running == 1


def test_a_port_that_is_taken_is_named(server, detector):
    port = server.server_address[1]
    with pytest.raises(InputError, match=rf"--port {port}: "):
        DemoServer(detector, "weights", "127.0.0.1", port)
