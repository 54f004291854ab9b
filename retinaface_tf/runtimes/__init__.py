"""Opens whatever holds a detector: a run, weights, a SavedModel, ONNX or LiteRT."""
