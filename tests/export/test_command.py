"""export.py as a user runs it, with a network of its own size."""

import numpy as np
import pytest
from serving.c_api import CModel
from tiny_network import noise

from retinaface_tf.config_file import load_config
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import save_weights

CONFIG = "configs/mobilenet025.yaml"


@pytest.fixture(scope="module")
def network(with_made_up_weights):
    return with_made_up_weights(build_network(load_config(CONFIG)))


@pytest.fixture(scope="module")
def flags(network, drawn, tmp_path_factory):
    weights = tmp_path_factory.mktemp("weights") / "made_up.weights.h5"
    save_weights(network, weights)
    return [
        *(f"--cfg={CONFIG}", f"--weights={weights}", f"--set=data.root={drawn}"),
        *("--set=data.image_size=96", "--set=export.parity_images=1"),
    ]


@pytest.mark.slow
def test_the_command_exports_a_model_that_a_server_loads(command, flags, network, tmp_path):
    done = command("export.py", *flags, f"--out={tmp_path}", "--keep=1")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "1") in done.stdout
    images = noise(1, 75, 101)
    answer = CModel(tmp_path / "1")("detect_images", images=images)
    expected = GraphDetector(network, load_config(CONFIG))(images)
    assert expected.num_detections[0] > 20
    for name, rows in expected._asdict().items():
        # Batch norm is folded into the exported convolutions, which round otherwise.
        np.testing.assert_allclose(answer[name], rows, rtol=1e-4, atol=1e-3, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "file"), [("onnx", "model.onnx"), ("litert", "model_int8.tflite")]
)
def test_the_commands_export_and_evaluate_a_version(command, flags, tmp_path, format, file):
    done = command("export.py", *flags, f"--format={format}", f"--out={tmp_path / 'models'}")
    assert done.returncode == 0, done.stderr
    settings = [flag for flag in flags if not flag.startswith("--weights")]
    done = command(
        *("eval.py", *settings, "--protocol=vga", f"--out={tmp_path / 'eval'}"),
        f"--saved_model={tmp_path / 'models' / '1' / file}",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Easy   Val AP : ")


MOVED = """
import runpy, sys
from retinaface_tf import cli
cli.start_tensorflow()
from retinaface_tf.runtimes.saved_model import SavedModelDetector
detect = SavedModelDetector.__call__
SavedModelDetector.__call__ = lambda *a: detect(*a)._replace(boxes=detect(*a).boxes + 0.1)
sys.argv = ["export.py", *sys.argv[1:]]
runpy.run_path("export.py", run_name="__main__")
"""


@pytest.mark.slow
def test_an_export_that_does_not_hold_is_exit_code_2(command, flags, tmp_path):
    done = command("-c", MOVED, *flags, f"--out={tmp_path}")
    assert done.returncode == 2, done.stderr
    assert "detect_images" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
