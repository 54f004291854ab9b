"""Converts labelled images of other formats to the project's layout."""
