"""Converts others' labelled images into the project's layout."""
