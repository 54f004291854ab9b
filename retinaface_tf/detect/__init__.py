"""Detects faces in images, folders, videos, cameras and streams, and writes what was found."""
