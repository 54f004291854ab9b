"""Trains networks: schedule, optimizer, step, checkpoints, loop."""
