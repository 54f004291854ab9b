"""Detects faces in many images, on this machine or on a cluster, and goes on where it was killed."""
