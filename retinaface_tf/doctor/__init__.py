"""Examines data sets, machines, and batches that a run has kept."""
