"""Holds anchors, box coder, matchers, targets and NMS, as pure functions of tensors.

Anchors are `cx cy w h` and faces `x1 y1 x2 y2`, both in fractions of the network's input (0..1),
as in the originals, so that published weights predict the same boxes here. Only NMS counts pixels.
"""
