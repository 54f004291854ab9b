"""Imports packages that only some features need, and that are therefore extras."""

import importlib
from types import ModuleType

from retinaface_tf.errors import InputError


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports a module that one of this package's extras installs.

    Raises:
        InputError: the module is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{error}; it comes with: pip install 'retinaface-tf[{extra}]'") from None
