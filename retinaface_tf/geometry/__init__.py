"""Anchors, box coder, matcher and targets: pure functions of tensors, no state.

Anchors are `cx cy w h` and faces `x1 y1 x2 y2`, both in fractions of the network's input (0..1),
as the originals have them: a published weight then means the same box here.
"""
