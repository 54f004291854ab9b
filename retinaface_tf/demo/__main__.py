"""Serves a page for trying a detector: python -m retinaface_tf.demo [--weights WEIGHTS].

The page takes photos that are dropped, pasted or chosen, and the camera. It shows faces, landmarks
and crops, sliders for the thresholds, and the JSON with the command that gives it. Images stay on
this machine: only its own programs can reach the page, unless `--host` names another address.
Ctrl-C ends the demo.
"""

import ipaddress
import logging

from absl import flags

from retinaface_tf import cli
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS
from retinaface_tf.printing import say
from retinaface_tf.runtimes.locate import find_model
from retinaface_tf.runtimes.opening import open_detector

_WEIGHTS = flags.DEFINE_string(
    "weights",
    DEFAULT_WEIGHTS,
    "A name in `retinaface weights list`, a run's folder, a weights file, or an exported model.",
)
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen on; 0.0.0.0 lets the whole network use the page."
)
_PORT = flags.DEFINE_integer("port", 8000, "Port to listen on; 0 takes a free one.", 0, 65_535)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    weights = _WEIGHTS.value
    if find_model(weights).needs_tensorflow:
        cli.start_tensorflow()
    detector = open_detector(weights)
    from retinaface_tf.demo.server import DemoServer

    with DemoServer(detector, weights, _HOST.value, _PORT.value) as server:
        if not _is_loopback(_HOST.value):
            logging.warning("anyone who can reach %s can use the page", _HOST.value)
        say(f"open {server.url} in a browser; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            logging.info("stopped")
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    cli.run(main)
