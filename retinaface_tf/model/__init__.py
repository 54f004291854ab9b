"""The network, its loss, its weights, and the detector that reads its predictions."""
