"""Exports a detector as a SavedModel, ONNX or LiteRT model that gives the same answers."""
