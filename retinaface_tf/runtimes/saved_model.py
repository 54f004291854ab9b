"""Runs SavedModels of export.py through their signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from pydantic import TypeAdapter

from retinaface_tf.config import Config
from retinaface_tf.errors import ImageError, InputError, one_line
from retinaface_tf.runtimes.detector import Detector
from retinaface_tf.runtimes.locating import newest_version
from retinaface_tf.structures import Array, DetectionBatch


class SavedModelDetector(Detector):
    """Detects faces in RGB images by a SavedModel, with the thresholds that it was exported with.
    """
