"""Packages that only some exports need, so that they are extras."""

import importlib
from types import ModuleType

from retinaface_tf.errors import InputError


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports a module of a package that an extra of this one installs.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{error}; it comes with: pip install 'retinaface-tf[{extra}]'") from None
