"""Serves the demo over HTTP: a few files from memory, and faces for posted images.

No request can name a file on this machine, as paths are keys of a mapping.
"""

import json
import logging
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from retinaface_tf.demo.answers import MAX_BYTES, answer, parse_question
from retinaface_tf.demo.guard import Refused, check_source, parse_length
from retinaface_tf.demo.page import Content, make_files
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.interface import Detector

TIMEOUT = 30  # seconds for which a client may be silent, or wait for others' images

# The page may only use its own files, and no other page may frame it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

log = logging.getLogger(__name__)


class DemoServer(socketserver.ThreadingTCPServer):
    """Serves the demo of a detector until `shutdown`.

    Each connection has a thread, as browsers open some that they do not use; images are processed
    one at a time.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, detector: Detector, weights: str, host: str, port: int):
        """Listens on an address.

        Args:
            detector: made from the weights.
            weights: as named by `--weights`.
            host: a name or an address of this machine.
            port: 0 takes a free one.

        Raises:
            InputError: the server cannot listen on the address.
        """
        self.detector, self.host = detector, host
        self.files = make_files(detector, weights)
        self.turn = threading.Lock()
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"--host {host} --port {port}: cannot listen there ({reason})"
            ) from None

    @property
    def url(self) -> str:
        """Returns the address of the page."""
        return f"http://{self.host}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores connections that the browser has closed; all else is a bug."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            log.exception("a request failed")


class _Handler(BaseHTTPRequestHandler):
    server: DemoServer
    timeout = TIMEOUT
    server_version, sys_version = "retinaface_tf", ""

    def do_GET(self) -> None:
        self._respond(self._find_file)

    def do_POST(self) -> None:
        self._respond(self._detect)

    def _respond(self, make: Callable[[], Content]) -> None:
        """Sends what `make` returns, or, as JSON, the reason why there is no answer."""
        status = 200
        try:
            check_source(self._all("Host"), self._all("Origin"), self.server.host)
            content = make()
        except (Refused, InputError) as error:
            status = error.status if isinstance(error, Refused) else 400
            content = _as_json({"error": str(error)})
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", content.type)
        self.send_header("Content-Length", str(len(content.data)))
        self.end_headers()
        self.wfile.write(content.data)

    def _find_file(self) -> Content:
        file = self.server.files.get(self.path.partition("?")[0])
        if file is None:
            raise Refused(404, "no such page")
        return file

    def _detect(self) -> Content:
        path, _, query = self.path.partition("?")
        if path != "/detect":
            raise Refused(404, "no such page")
        question = parse_question(query)
        length = parse_length(self._all("Content-Length"), MAX_BYTES)
        if not self.server.turn.acquire(timeout=TIMEOUT):
            raise Refused(503, "busy with other images; try again")
        try:
            data = self.rfile.read(length)
            return _as_json(answer(self.server.detector, data, question))
        finally:
            self.server.turn.release()

    def _all(self, header: str) -> list[str]:
        return self.headers.get_all(header, [])

    def log_message(self, format: str, *values: object) -> None:
        """Logs a request at level DEBUG."""
        log.debug(format, *values)


def _as_json(content: dict[str, object]) -> Content:
    return Content("application/json", json.dumps(content).encode())
