"""HTML pages that need nothing but themselves: templates filled, pictures inside of the file."""

import base64
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray


def write_page(file: Path, package: str, template: str, **context: Any) -> Path:
    """Fills a template and writes the page, and the folder that it needs.

    Args:
        file: to write.
        package: whose folder `templates` has the template.
        template: its file name.
        **context: what the template shows.

    Returns:
        The file.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    text = environment.get_template(template).render(context)
    # Names of files need not be UTF-8.
    file.write_text(text, encoding="utf-8", errors="backslashreplace")
    return file


def data_uri(image: NDArray[np.uint8], quality: int) -> str:
    """Encodes an RGB image uint8 [H, W, 3] as a JPEG in a data URI."""
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode('ascii')}"
