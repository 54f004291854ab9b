"""Serves a page on which a detector is tried: photos dropped or pasted, and the camera."""
