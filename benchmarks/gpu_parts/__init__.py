"""Holds the parts of `gpu.py`, each of which runs in its own process."""
