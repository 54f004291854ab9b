"""Checks that detections of a photograph of the package are its face: right_face.py JSONL..."""

import json
import sys
from pathlib import Path

import numpy as np

from retinaface_tf.samples import FACES

for file in map(Path, sys.argv[1:]):
    (line,) = file.read_text().splitlines()
    result = json.loads(line)
    expected = {path.name: np.array(box) for path, box in FACES.items()}[result["file"]]
    (found,) = [np.array(face["box"]) for face in result["faces"]]
    shared = np.minimum(found, expected)[2:] - np.maximum(found, expected)[:2]
    both = shared.clip(0).prod()
    union = sum((box[2:] - box[:2]).prod() for box in (found, expected)) - both
    if both / union < 0.4:
        sys.exit(f"{file}: found {found}, the face is at {expected}")
