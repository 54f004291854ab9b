"""train.py on a tiny backbone, for runs that are to be stopped and started often."""

import tensorflow as tf
from tiny_backbone import tiny_backbone

from retinaface_tf import cli
from retinaface_tf.training.__main__ import main

if __name__ == "__main__":
    # Optimising the graph takes longer than these few steps.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with tiny_backbone():
        cli.run(main)
