"""Detects faces in images, folders, videos, cameras and streams, and writes the results."""
