"""The network, its loss, its weights, and the detector: network, decoding, NMS."""
