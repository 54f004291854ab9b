"""Reads and writes files of weights, ours and others'."""
