"""Shows an evaluation as one HTML page."""

TEMPLATES = __name__  # the package whose folder `templates` holds the pages and their style
