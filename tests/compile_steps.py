"""Takes steps that XLA compiles; test_compilations.py counts the programs that XLA_FLAGS dump.

A process of its own: XLA reads its flags once.
"""

import tensorflow as tf
from replicas import random_batch
from tiny_backbone import tiny_backbone
from training_step import one_device, padded

from retinaface_tf.model.network import build_network


def main() -> None:
    with tiny_backbone():
        step = one_device("train.xla=true", "optimizer.ema=0.99", build=build_network)
    batches = {count: padded(random_batch(count), count) for count in (16, 32)}
    spec = step.run.input_signature[0]
    order = [batches[count] for count in (16, 32, 32, 16, 16, 32)]
    dataset = tf.data.Dataset.from_generator(lambda: iter(order), output_signature=spec)
    step.several(iter(dataset), len(order))


if __name__ == "__main__":
    main()
