"""Modules that Python users import."""

import importlib
import pkgutil

from absl import flags

import retinaface_tf

SHARED = "retinaface_tf.config_flags"  # defines what commands share


def test_no_module_but_those_of_commands_defines_flags():
    names = [
        found.name for found in pkgutil.walk_packages(retinaface_tf.__path__, "retinaface_tf.")
    ]
    modules = [name for name in names if not name.endswith("__main__")]
    for name in modules:
        importlib.import_module(name)
    assert len(modules) > 50
    defining = flags.FLAGS.flags_by_module_dict().keys() & set(modules)
    assert defining <= {SHARED}
