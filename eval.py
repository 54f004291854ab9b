"""Measures AP on WIDER FACE val: python eval.py --cfg configs/res50.yaml."""

from retinaface_tf import cli
from retinaface_tf.evaluation.__main__ import main

if __name__ == "__main__":
    cli.run(main)
