"""Runs the command `retinaface`: python -m retinaface_tf COMMAND ..."""

from retinaface_tf.cli import main

if __name__ == "__main__":
    main()
