"""Reads and writes weights files, of this project and of others."""
