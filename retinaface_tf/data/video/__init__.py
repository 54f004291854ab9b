"""Reads and writes videos with PyAV (the extra `video`) if it is installed, else with OpenCV."""
