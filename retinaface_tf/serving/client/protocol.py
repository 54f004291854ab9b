"""Defines what REST and gRPC share: types, limits and hints."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

# Encoded images, or an array.
Inputs = Mapping[str, list[bytes] | NDArray[Any]]
Outputs = dict[str, NDArray[Any]]
BACKOFF = 0.2  # seconds before the first retry; each further pause is twice as long
MAX_ANSWER = 64 * 2**20  # bytes; for 8 images an answer has 0.4 million by gRPC, 2 million by REST
START_SERVER = "start one: docker compose --file configs/serving/compose.yaml up (docs/serving.md)"
