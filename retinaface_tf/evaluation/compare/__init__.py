"""Compares evaluations by bootstrap over images."""
