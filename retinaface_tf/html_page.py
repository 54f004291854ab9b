"""Fills templates of self-contained HTML pages: style, scripts and pictures are inside.

The templates in `retinaface_tf/templates` are shared: `head.html` begins every page, `page.css`
and `page.js` style pages and enlarge their tiles, `tile.html` shows a picture with boxes and
landmarks.
"""

import base64
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf import palette
from retinaface_tf.structures import LANDMARKS

_SHARED = jinja2.PackageLoader("retinaface_tf")


def write_page(file: Path, package: str, template: str, **context: Any) -> Path:
    """Fills a template and writes the page, creating missing folders.

    Args:
        file: to write.
        package: the package whose folder `templates` has the template.
        template: its file name.
        **context: what the template shows.

    Returns:
        The file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    text = fill(package, template, **context)
    # File names need not be UTF-8.
    file.write_text(text, encoding="utf-8", errors="backslashreplace")
    return file


def fill(package: str, template: str, **context: Any) -> str:
    """Fills a template of a package, which may include those of `retinaface_tf/templates`.

    Besides the context, templates see the module `palette`, and the names and colours of
    landmarks.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), _SHARED]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = [name.replace("_", " ") for name in LANDMARKS]
    landmarks = list(zip(LANDMARKS, names, palette.LANDMARK_COLOURS, strict=True))
    environment.globals.update(palette=palette, landmarks=landmarks)
    return environment.get_template(template).render(context)


def data_uri(image: NDArray[np.uint8], quality: int) -> str:
    """Encodes an RGB image uint8 [H, W, 3] as a JPEG in a data URI."""
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode('ascii')}"
