"""Draws data sets of cartoon faces, for trying everything without WIDER FACE."""
