import pytest
from training.test_run import run_of

from retinaface_tf.errors import InputError
from retinaface_tf.training.progress import Progress


def test_events_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"^\S+/tensorboard: .*") as raised:
        Progress(run_of(5, f"train.workdir={tmp_path}"), start=0, bad=None)
    assert "\n" not in str(raised.value)
