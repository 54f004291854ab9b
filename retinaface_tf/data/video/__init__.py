"""Reads and writes videos: with PyAV (the extra `video`) where it is installed, else OpenCV."""
