"""Compares evaluations by a bootstrap over images."""
