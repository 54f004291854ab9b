"""train.py on a tiny backbone, for runs that are to be stopped and started often."""

from tiny_backbone import tiny_backbone

from retinaface_tf import cli
from retinaface_tf.training.__main__ import main

if __name__ == "__main__":
    with tiny_backbone():
        cli.run(main)
