"""Detects faces in many images, on this machine or on a cluster, however often it is stopped."""
