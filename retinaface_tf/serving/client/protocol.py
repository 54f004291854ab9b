"""What REST and gRPC have in common: types, and what the client asks of any server."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

# Encoded images, or an array.
Inputs = Mapping[str, list[bytes] | NDArray[Any]]
Outputs = dict[str, NDArray[Any]]
BACKOFF = 0.2  # seconds before a request is sent again; each further pause is twice as long
MAX_ANSWER = 64 * 2**20  # bytes; one about 8 images has 0.4 million by gRPC, 2 million by REST
START_SERVER = "start one: docker compose --file configs/serving/compose.yaml up (docs/serving.md)"
