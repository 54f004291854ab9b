r"""Times detection from the bytes of a file to boxes and landmarks, beside its limits and a peer.

    python benchmarks/detection.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --weights retinaface_mobilenet025.pth --biubug6 CHECKOUT

A piece of work is a validation image at its own size; sizes differ from image to image. All boxes
above the threshold are returned, as in evaluation. The limits are decoding alone and the network
alone. The peer is a checkout that the user names (see peers.py), timed as in its test_widerface.py,
without the parts that print and write.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import peers
import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config_flags import read_config

IMAGES = 40

_WEIGHTS = flags.DEFINE_string("weights", None, "Weights for both, a PyTorch state dict.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
flags.mark_flags_as_required(["weights"])


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config(weights=_WEIGHTS.value).exhaustive()
    peer = None
    if _BIUBUG6.value:
        peer = peers.biubug6_detector(_BIUBUG6.value, config, _WEIGHTS.value)
    cli.start_tensorflow()
    import tensorflow as tf

    from retinaface_tf.data.dataset import validation_set
    from retinaface_tf.data.decode import decode_image
    from retinaface_tf.model.detector import GraphDetector
    from retinaface_tf.runtimes.run_folder import load_network

    network = load_network(config)[1]
    detector = GraphDetector(network, config)
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    forward = tf.function(lambda x: network(x, training=False), input_signature=[spec])

    def decode(path: Path) -> tf.Tensor:
        return decode_image(tf.io.read_file(str(path)))[None]

    def detect(path: Path) -> list[Any]:
        return [part.numpy() for part in detector(decode(path))]

    def detect_theirs(path: Path) -> tuple[Any, Any]:
        found, landmarks, kept = peer(np.float32(cv2.imread(str(path))))
        return found[kept], landmarks[kept]

    files = list(validation_set(config).files().values())
    paths = [(path,) for path in files[:: max(1, len(files) // IMAGES)][:IMAGES]]
    contestants = {
        "file to faces": turns.over(paths, detect),
        "decoding alone": turns.over(paths, lambda path: decode(path).numpy()),
        "network alone": turns.over([(decode(path),) for (path,) in paths], forward),
    }
    if peer is not None:
        contestants["biubug6's"] = turns.over(paths, detect_theirs)
    turns.report(turns.take_turns(contestants, rounds=_ROUNDS.value, pieces=len(paths)), images=1)
    return 0


if __name__ == "__main__":
    cli.run(main)
