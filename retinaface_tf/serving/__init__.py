"""Answers requests with a SavedModel: signatures, images anybody may send, the client."""
