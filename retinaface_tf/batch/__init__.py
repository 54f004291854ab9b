"""Detects faces in many images, on this machine or a cluster, and resumes after any stop."""
