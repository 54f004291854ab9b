"""Packages that only some features need, so that they are extras."""

import importlib
from types import ModuleType

from retinaface_tf.errors import InputError


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports a module of a package that one of our extras installs.

    Raises:
        InputError: the package is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{error}; it comes with: pip install 'retinaface-tf[{extra}]'") from None
