"""Decides which requests are answered: only those from the page itself.

Any web page in the same browser can send requests to a server on this machine. Its scripts can even
read the answers if the page's own name is made to resolve to 127.0.0.1 (DNS rebinding). The headers
`Host` and `Origin`, which a page cannot forge, give such requests away.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit


class Refused(Exception):
    """Carries the HTTP status and the line of text with which a request is refused."""

    def __init__(self, status: int, message: str):
        """Takes the status, such as 403, and the reason in one line."""
        super().__init__(message)
        self.status = status


def check_source(hosts: Sequence[str], origins: Sequence[str], own_name: str) -> None:
    """Refuses a request that another page may have sent.

    An IP address is not a name, so that nobody can make it resolve to this machine.

    Args:
        hosts: values of the header `Host`.
        origins: values of the header `Origin`, which browsers send with posts.
        own_name: the name or address on which the server was told to listen.

    Raises:
        Refused: the host is another name, or the origin is another page.
    """
    if len(hosts) != 1 or not _is_own(hosts[0], own_name):
        raise Refused(403, f"expected one Host, localhost, an address or {own_name}")
    if any(origin != f"http://{hosts[0]}" for origin in origins):
        raise Refused(403, "expected requests from the page itself, found another Origin")


def _is_own(host: str, own_name: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in ("localhost", own_name.lower()) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def parse_length(lengths: Sequence[str], max_bytes: int) -> int:
    """Parses the header `Content-Length`.

    Args:
        lengths: values of the header.
        max_bytes: the limit.

    Raises:
        Refused: there is not exactly one value, or it is not a number from 1 to `max_bytes`.
    """
    if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdecimal()):
        raise Refused(411, "expected the length of the image")
    if len(lengths[0]) > len(str(max_bytes)) or int(lengths[0]) > max_bytes:
        raise Refused(413, f"expected a file of at most {max_bytes >> 20} MiB")
    if int(lengths[0]) == 0:
        raise Refused(400, "expected an image, found an empty file")
    return int(lengths[0])
