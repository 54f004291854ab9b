"""Starts the workers of one run on this machine."""
