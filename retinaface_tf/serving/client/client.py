"""Sends images to a server, and returns faces."""

from collections.abc import Sequence

import numpy as np

from retinaface_tf.errors import InputError
from retinaface_tf.serving.client.answer import FoundFaces, read_answer


class Client:
    """Detects faces with a model from export.py on TensorFlow Serving."""

    def __init__(
        self,
        url: str,
        model: str = "retinaface",
        *,
        batch: int = 8,
        timeout: float = 60.0,
        attempts: int = 3,
    ):
        """Prepares a connection, which is opened at the first request.

        Args:
            url: `grpc://host:8500` or `http://host:8501`; `grpcs` and `https` are encrypted.
            model: name of the model on the server.
            batch: images per request.
            timeout: seconds that a request may take, including all attempts and the whole answer.
            attempts: how often to send a request to a server that is busy or absent.

        Raises:
            InputError: the URL is of another kind.
        """
        from retinaface_tf.serving.client.transport import connect  # imports TensorFlow

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
        """Detects faces in images.

        Args:
            images: encoded, of any kinds and sizes.
            score_threshold: replaces the model's. By REST, give both thresholds or neither.
            nms_iou: replaces the model's.
            resized: has the server resize all images to one size, which is faster for large images.
                By REST, it needs both thresholds.

        Returns:
            The faces of each image, in the order of the images.

        Raises:
            InputError: the server is absent, takes too long, refuses, or does not answer with
                faces.
        """
        given = {"score_threshold": score_threshold, "nms_iou": nms_iou}
        thresholds = {name: value for name, value in given.items() if value is not None}
        full_size = "serving_default" if thresholds else "detect_bytes"
        signature = "detect_resized" if resized else full_size
        if self.is_rest and signature != "detect_bytes" and len(thresholds) < 2:
            raise InputError(
                f"{signature} by REST: expected both thresholds, as the server takes no defaults "
                f"there, found {', '.join(thresholds) or 'neither'}; or ask by grpc://"
            )
        answers: list[FoundFaces] = []
        for start in range(0, len(images), self.batch):
            part = list(images[start : start + self.batch])
            # A server that batches requests needs a threshold for each image.
            per_image = {n: np.full(len(part), v, np.float32) for n, v in thresholds.items()}
            outputs = self._transport.predict(signature, {"image_bytes": part, **per_image})
            try:
                answers += read_answer(outputs, len(part))
            except InputError as error:
                raise InputError(f"{self.url}: not an answer of a detector: {error}") from None
        return answers
