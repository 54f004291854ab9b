"""What is shown of a run, where it cannot be written."""

import numpy as np
import pytest

from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.training.progress import Progress


def test_events_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    config = load_config("configs/quickstart.yaml", [f"train.workdir={tmp_path}"])
    with pytest.raises(InputError, match="tensorboard: events cannot be written"):
        Progress(config, 0, np.zeros(5), steps_per_epoch=5, bad=None)
