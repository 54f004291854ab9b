"""The training run: schedule, optimizer, step, checkpoints, loop."""
