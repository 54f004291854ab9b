"""Opens detectors from a run, weights, a SavedModel, ONNX or LiteRT."""
