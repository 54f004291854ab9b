"""Detects faces in images, folders, videos and cameras, and writes what was found."""
