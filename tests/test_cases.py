"""Small inputs that failed once, each with what is right in its README; skips without them."""

from pathlib import Path

import pytest

from retinaface_tf.config import Config, DataConfig
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.data.pipeline import TrainingData

FOLDER = Path(__file__).parents[2] / "shared/cases"


def bmp_two_bytes_more(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_image(case / "a.bmp").shape == (48, 64, 3)
    assert (decode_image((case / "a.bmp").read_bytes()) == read_image(case / "a.bmp")).numpy().all()


def thin_jpeg(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(data=DataConfig(root=str(case), image_size=640))
    for batch in TrainingData(training_set(config), config.data, 2, seed=1).batches().take(4):
        assert batch.images.shape == (2, 640, 640, 3)


CASES = {
    "bmp_two_bytes_more": bmp_two_bytes_more,
    "thin_jpeg": thin_jpeg,
}


@pytest.mark.parametrize("name", CASES)
def test_what_failed_once_does_what_its_readme_calls_right(name, caplog):
    if not FOLDER.is_dir():
        pytest.skip(f"{FOLDER} is absent")
    CASES[name](FOLDER / name, caplog)
