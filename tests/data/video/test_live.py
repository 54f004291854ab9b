"""MJPEG over HTTP from a server on this machine."""

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from retinaface_tf.errors import InputError

live = pytest.importorskip("retinaface_tf.data.video.live")

FRAMES = 4  # of each connection, after which the server breaks off


class Camera(BaseHTTPRequestHandler):
    """Sends frames whose grey rises by 20, from 20 on, over all connections."""

    def do_GET(self):
        self.server.connections += 1
        if self.server.connections > self.server.max_connections:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for _ in range(FRAMES):
            self.server.grey += 20
            self._send(self.server.grey)
            time.sleep(0.05)

    def _send(self, grey):
        picture = np.full((48, 64, 3), grey, np.uint8)
        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        self.wfile.write(head.encode() + jpeg + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.fixture
def camera():
    with ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        server.connections, server.max_connections, server.grey = 0, 2, 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.address = f"http://me:secret@127.0.0.1:{server.server_port}/video.mjpg"
        yield server
        server.shutdown()


def test_a_stream_that_breaks_off_goes_on_where_it_can_be_reached_again(camera, caplog):
    frames = []
    with caplog.at_level(logging.WARNING), pytest.raises(InputError) as error:
        frames.extend(live.read_stream(camera.address, pause=0.001))
    assert [frame.number for frame in frames] == list(range(2 * FRAMES))
    assert [frame.pixels.mean() for frame in frames] == pytest.approx(
        range(20, 20 * (2 * FRAMES + 1), 20), abs=3
    )
    times = [frame.seconds for frame in frames]
    assert times[0] == 0
    assert np.all(np.diff(times) > 0)
    assert 0.2 < times[-1] < 5
    assert "broke off after 8 frames, 5 attempts" in str(error.value)
    assert "secret" not in str(error.value) + caplog.text
    assert len(caplog.messages) == 1 + live.ATTEMPTS


def test_a_stream_that_never_came_is_refused_at_once(camera):
    camera.max_connections = 0
    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:\d+/video\.mjpg: ") as error:
        list(live.read_stream(camera.address, pause=60))
    assert "secret" not in str(error.value)
