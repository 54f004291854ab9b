"""Small inputs that failed once, each with what is right in its README; skips without them."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pytest
from brightness import Brightness

from retinaface_tf.config import Config, DataConfig, ModelConfig
from retinaface_tf.data.convert.readers import read_labels
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.data.pipeline import TrainingData
from retinaface_tf.data.video.pyav import has_pyav
from retinaface_tf.data.video.reading import read_video
from retinaface_tf.data.widerface import read_records
from retinaface_tf.detect.output import OutputOptions
from retinaface_tf.detect.run import detect_paths
from retinaface_tf.detect.sources import find_sources
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.prediction_files import read_predictions
from retinaface_tf.model.network import build_network


def convert(kind: str, labels: str) -> Callable[[Path, pytest.LogCaptureFixture], None]:
    """Returns the check of a folder of 12 images with at least a face in all but one."""

    def check(case: Path, caplog: pytest.LogCaptureFixture) -> None:
        images = read_labels(kind, case / labels)
        assert len(images) == 12
        assert sum(len(image.faces) for image in images) >= 11

    return check


def apple_double(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    convert("yolo", "images")(case, caplog)
    assert "12 resource forks" in caplog.text


def official_no_zero_line(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_records(case / "train/label.txt").splits.tolist() == [0, 1, 1, 2]
    read_records(case / "train/label.txt", keep_empty=False)
    assert "dropped 1 images without faces" in caplog.text


def same_stem_in_val(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match=r"label\.txt:3: a\.jpg and a\.png "):
        read_records(case / "val/label.txt").files()


def other_suffixes(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    sources = find_sources([str(case)], case / "detections")
    assert [Path(source.path).name for source in sources] == ["x.jfif", "y.jpe", "z.jpg"]
    assert "1 .heic" in caplog.text


def zip_backslashes(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert list(read_predictions(case / "pred.zip")) == ["e/1"]


def bmp_two_bytes_more(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_image(case / "a.bmp").shape == (48, 64, 3)
    assert (decode_image((case / "a.bmp").read_bytes()) == read_image(case / "a.bmp")).numpy().all()


def thin_jpeg(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(data=DataConfig(root=str(case), image_size=640))
    for batch in TrainingData(training_set(config), config.data, 2, seed=1).batches().take(4):
        assert batch.images.shape == (2, 640, 640, 3)


def fast_video(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    with TemporaryDirectory() as out:
        results = detect_paths(Brightness(), [str(case)], Path(out), OutputOptions())
        assert {file.name for file in Path(out).iterdir()} >= {"a.avi.mp4", "b.jpg"}
    assert str(results).endswith("in 1 image and 5 frames")


def vfr_video(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    def times(file: Path) -> list[float]:
        return [frame.seconds for frame in read_video(str(file))]

    shown = [0, 0.04, 0.08, 0.12, 0.16, 1.12, 2.16, 3.16]
    assert times(case / "v.mp4") == pytest.approx(shown)
    if has_pyav():
        with TemporaryDirectory() as out:
            detect_paths(Brightness(), [str(case / "v.mp4")], Path(out), OutputOptions())
            assert times(Path(out) / "v.mp4") == pytest.approx(shown, abs=1e-4)


def out_is_the_inputs_folder(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.jpg").touch()
        with pytest.raises(InputError, match=r"a\.jpg: is in the folder of results"):
            find_sources([f"{folder}/a.jpg"], Path(folder))


def keras_channels_first(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = json.loads((case / ".keras/keras.json").read_text())
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(settings["image_data_format"])
    try:
        network = build_network(Config(model=ModelConfig(backbone="mobilenet025")))
        assert network(np.zeros([1, 32, 64, 3]))["boxes"].shape == (1, 84, 4)
    finally:
        keras.config.set_image_data_format(before)


CASES = {
    "apple_double": apple_double,
    "coco_bom": convert("coco", "faces.json"),
    "official_no_zero_line": official_no_zero_line,
    "other_suffixes": other_suffixes,
    "same_stem_in_val": same_stem_in_val,
    "voc_gb2312": convert("voc", "Annotations"),
    "voc_no_extension": convert("voc", "Annotations"),
    "yolo_webp": convert("yolo", "images"),
    "zip_backslashes": zip_backslashes,
    "bmp_two_bytes_more": bmp_two_bytes_more,
    "thin_jpeg": thin_jpeg,
    "fast_video": fast_video,
    "vfr_video": vfr_video,
    "out_is_the_inputs_folder": out_is_the_inputs_folder,
    "keras_channels_first": keras_channels_first,
}


@pytest.mark.parametrize("name", CASES)
def test_what_failed_once_does_what_its_readme_calls_right(shared, name, caplog):
    CASES[name](shared / "cases" / name, caplog)
