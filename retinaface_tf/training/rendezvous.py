"""Waits for the other workers of a run, before TensorFlow does.

TensorFlow waits in C++, silently and for ever, where no signal or Python exception gets through. So
workers meet here first: each listens at its own address until it has reached all the others. A
worker that has moved on still answers, through TensorFlow's server at the same address.
"""

import logging
import socket
import time

from retinaface_tf.errors import InputError
from retinaface_tf.training.cluster import Cluster

NAMED_AFTER = 30.0  # seconds until the missing workers are named
GIVEN_UP_AFTER = 600.0  # seconds until the run ends

log = logging.getLogger(__name__)


def await_partners(cluster: Cluster) -> None:
    """Waits until every other worker has answered once.

    Raises:
        InputError: a worker has not answered within `GIVEN_UP_AFTER` seconds, or this worker's own
            port is in use.
    """
    this = f"worker {cluster.index + 1} of {cluster.size}"
    missing = dict(enumerate(cluster.addresses, start=1))
    own = missing.pop(cluster.index + 1)
    start, is_named = time.monotonic(), False
    with _listen(own, this):
        while True:
            missing = {n: address for n, address in missing.items() if not _answers(address)}
            if not missing:
                return
            waited = time.monotonic() - start
            names = ", ".join(f"worker {n} ({address})" for n, address in missing.items())
            if waited > GIVEN_UP_AFTER:
                raise InputError(
                    f"{this}: {names} did not answer in {GIVEN_UP_AFTER:.0f} s; expected a process "
                    "that listens there, and no firewall in between"
                )
            if waited > NAMED_AFTER and not is_named:
                log.warning("%s waits for %s", this, names)
                is_named = True
            time.sleep(0.2)


def _listen(address: str, this: str) -> socket.socket:
    """Listens on the port that TensorFlow's server is going to take."""
    _, port = _split(address)
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise InputError(
            f"{this}: cannot listen on port {port} of {address}: {error.strerror}"
        ) from None


def _answers(address: str) -> bool:
    try:
        with socket.create_connection(_split(address), timeout=2):
            return True
    except OSError:
        return False


def _split(address: str) -> tuple[str, int]:
    """Splits `host:port`.

    Raises:
        InputError: the address is not of this form.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InputError(f"expected worker addresses such as host:2222, found {address!r}")
    return host.strip("[]"), int(port)
