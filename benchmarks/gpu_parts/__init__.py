"""Holds the parts of `gpu.py`, each run in a process of its own."""
