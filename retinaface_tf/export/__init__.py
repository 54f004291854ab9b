"""Writes a detector as a SavedModel, ONNX or LiteRT model that answers as it does."""
