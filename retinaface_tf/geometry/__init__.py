"""Anchors, box coder, matcher, targets and NMS: pure functions of tensors, no state.

Anchors are `cx cy w h` and faces `x1 y1 x2 y2`, both in fractions of the network's input (0..1),
as in the originals, so that published weights predict the same boxes here. NMS alone counts pixels.
"""
