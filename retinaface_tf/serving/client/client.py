"""A client for programs: images to a server, faces back."""

from collections.abc import Sequence

import numpy as np

from retinaface_tf.errors import InputError
from retinaface_tf.serving.client.answer import FoundFaces, read_answer


class Client:
    """Asks a model that export.py wrote, on TensorFlow Serving."""

    def __init__(
        self,
        url: str,
        model: str = "retinaface",
        *,
        batch: int = 8,
        timeout: float = 60.0,
        attempts: int = 3,
    ):
        """Keeps what it takes to ask; nothing is asked yet.

        Args:
            url: `grpc://host:8500` or `http://host:8501`; `grpcs` and `https` are encrypted.
            model: its name on the server.
            batch: images of a request; more than that are several requests.
            timeout: seconds that a request may take, all attempts and the whole answer together.
            attempts: how often to ask a server that is not there or busy.

        Raises:
            InputError: another kind of URL.
        """
        from retinaface_tf.serving.client.transport import connect  # TensorFlow

        self.url, self.batch, self.is_rest = url, batch, url.startswith("http")
        self._transport = connect(url, model, timeout, attempts)

    def detect(
        self,
        images: Sequence[bytes],
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
        resized: bool = False,
    ) -> list[FoundFaces]:
        """Detects faces.

        Args:
            images: encoded, of any kinds and sizes.
            score_threshold: instead of the model's. By REST it takes both thresholds, or neither.
            nms_iou: likewise.
            resized: whether the server is to bring all images to one size, which is faster for
                large ones; by REST it takes both thresholds.

        Raises:
            InputError: the server is not there, takes too long, refuses, or answers with something
                else than faces.
        """
        given = {"score_threshold": score_threshold, "nms_iou": nms_iou}
        thresholds = {name: value for name, value in given.items() if value is not None}
        whole = "serving_default" if thresholds else "detect_bytes"
        signature = "detect_resized" if resized else whole
        if self.is_rest and signature != "detect_bytes" and len(thresholds) < 2:
            raise InputError(
                f"{signature} by REST: expected both thresholds, as the server takes no defaults "
                f"there, found {', '.join(thresholds) or 'neither'}; or ask by grpc://"
            )
        answers: list[FoundFaces] = []
        for start in range(0, len(images), self.batch):
            part = list(images[start : start + self.batch])
            # One of each image: a server that merges requests needs as many as there are images.
            each = {n: np.full(len(part), v, np.float32) for n, v in thresholds.items()}
            found = self._transport.predict(signature, {"image_bytes": part, **each})
            try:
                answers += read_answer(found, len(part))
            except InputError as error:
                raise InputError(f"{self.url}: not the answer of a detector: {error}") from None
        return answers
