"""A user's ten lines, which mypy checks without a single `Any`."""

from retinaface_tf import Detections, load_detector
from retinaface_tf.samples import GRACE_HOPPER

detector = load_detector()
faces: Detections = detector.detect(GRACE_HOPPER)
count: int = len(faces.above(0.5))
shape: tuple[int, ...] = faces.boxes.shape
found = [face.error for face in detector.detect_batch([GRACE_HOPPER, "missing.jpg"])]
print(f"{count} faces above 0.5; boxes {shape}; {found[1]}")
