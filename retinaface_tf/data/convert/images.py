"""Finds the images that labels name, inside their folder and nowhere else."""

import os
from pathlib import Path

from retinaface_tf.data.files import IMAGE_SUFFIXES
from retinaface_tf.data.names import is_below, relative_name, starts_as_image
from retinaface_tf.errors import InputError


def find_image(folder: Path, name: str, where: str) -> str:
    """Finds the image that a label file names.

    Args:
        folder: of the images.
        name: below the folder, from an untrusted file; the suffix may be missing.
        where: file and entry, which begin the message of an error.

    Returns:
        The name below the folder, with `/` and suffix.

    Raises:
        InputError: the name leads out of the folder, by itself or through links; no image or
            several images have it; or the file is not an image.
    """
    name = relative_name(name, where)
    names = [name] if os.path.isfile(folder / name) else _with_suffix(folder, name)
    if not names:
        mend = "--train_images and --val_images name the folders of images"
        raise InputError(f"{where}: {folder / name}: no such image; {mend}")
    if len(names) > 1:
        raise InputError(f"{where}: expected one image, found {' and '.join(names)} in {folder}")
    if not is_below(folder / names[0], folder):
        raise leads_out(folder / names[0], folder, where)
    check_image(folder / names[0], where)
    return names[0]


def _with_suffix(folder: Path, name: str) -> list[str]:
    """Returns the names of images that a name without a suffix may mean."""
    cases = [(name + suffix, name + suffix.upper()) for suffix in IMAGE_SUFFIXES]
    found = [[each for each in names if os.path.isfile(folder / each)] for names in cases]
    return [names[0] for names in found if names]  # both, if the file system ignores case


def check_image(file: Path, where: str) -> None:
    """Checks that a file is an image.

    Raises:
        InputError: the file does not begin as an image, or cannot be read.
    """
    try:
        is_image = starts_as_image(file)
    except OSError as error:
        raise InputError(f"{where}: {file}: cannot be read ({error.strerror})") from None
    if not is_image:
        raise InputError(f"{where}: {file}: expected an image, found another kind of file")


def leads_out(file: Path, folder: Path, where: str) -> InputError:
    """Returns the error of an image whose link leads out of its folder."""
    return InputError(f"{where}: {file}: a link that leads out of {folder}; copy the image there")
