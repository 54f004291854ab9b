"""Serves a SavedModel: signatures, decoding of untrusted images, the client."""
