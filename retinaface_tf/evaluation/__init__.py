"""Evaluates by the WIDER FACE protocol: runs a detector, stores predictions, scores them."""
