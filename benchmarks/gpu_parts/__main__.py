"""Runs one part of `gpu.py`, which calls `python -m gpu_parts NAME ...`."""

import sys
import traceback

from gpu_parts.rows import write_rows
from gpu_parts.setting import Setting
from gpu_parts.table import parts
from retinaface_tf import cli
from retinaface_tf.errors import BAD_INPUT, one_line

# For TensorFlow and for PyTorch, only one of which a process imports.
_OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError")


def main(name: str, *arguments: str) -> int:
    """Runs a part; the last line of the output says why it failed."""
    setting = Setting.from_arguments(*arguments)
    part = parts(setting)[name]
    try:
        if part.uses_tensorflow:
            cli.start_tensorflow()
        write_rows(setting.rows_file, part.run(setting))
    except Exception as error:
        traceback.print_exc()
        is_memory = type(error).__name__ in _OUT_OF_MEMORY
        print("out of memory" if is_memory else one_line(error))
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
