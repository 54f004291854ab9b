"""The detector as a file that other programs load."""
