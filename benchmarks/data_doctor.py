"""Measures how many images per second `doctor data` examines, from start to findings.

    python benchmarks/data_doctor.py --cfg configs/mobilenet025.yaml --set data.root=DIR

The same run also measures the least that any doctor has to do: decode the same files in full.
WIDER FACE has 16,106 images in train and val.
"""

import logging
import os
import time

from retinaface_tf import cli
from retinaface_tf.config_flags import read_config
from retinaface_tf.data.widerface import read_records

WIDER_FACE = 12_880 + 3_226
ROUNDS = 3


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config()
    cli.start_tensorflow()
    from retinaface_tf.data.decode import find_undecodable
    from retinaface_tf.doctor.data import examine

    logging.getLogger("retinaface_tf").setLevel(logging.ERROR)  # hides dropped faces
    labels = (config.data.train_labels, config.data.val_labels)
    records = [read_records(config.below_root(file)) for file in labels]
    files = [str(half.path(i)) for half in records for i in range(len(half))]
    print(f"{len(files)} images, {os.cpu_count()} CPUs")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        find_undecodable(files)
        decoding = time.perf_counter() - start
        seconds = examine(config).seconds
        print(
            f"doctor {len(files) / seconds:7.1f} images/s, decoding alone "
            f"{len(files) / decoding:7.1f}; WIDER FACE in {WIDER_FACE / len(files) * seconds:.0f} s"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)
