"""Exports a trained detector: python export.py --format savedmodel --out models/retinaface."""

from retinaface_tf import cli
from retinaface_tf.export.__main__ import main

if __name__ == "__main__":
    cli.run(main)
