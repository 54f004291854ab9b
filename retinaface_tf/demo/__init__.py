"""Serves a page for trying a detector on photos, dropped or pasted, and the camera."""
