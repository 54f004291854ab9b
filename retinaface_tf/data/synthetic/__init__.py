"""Draws data sets of cartoon faces, to try everything without WIDER FACE."""
