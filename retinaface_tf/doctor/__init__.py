"""Examines a data set, a machine, and batches that a run has kept."""
