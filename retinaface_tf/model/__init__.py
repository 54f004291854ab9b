"""Holds the network, its loss, its weights, and the detector: network, decoding, NMS."""
