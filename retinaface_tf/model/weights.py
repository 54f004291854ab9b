"""Imports the weights of others: python -m retinaface_tf.model.weights SRC DST --cfg ...

SRC is a RetinaFace of biubug6, yakhyo or MindSpore, or an ImageNet backbone of PyTorch or
MindSpore: a .pth, .safetensors or .ckpt file, or a name of the Hugging Face hub such as
timm/resnet50.tv_in1k. DST is a Keras file, whose name ends in .weights.h5. Prints which tensors
matched; unless all did, nothing is written.
"""

import hashlib
from datetime import date
from pathlib import Path

from absl import flags

import retinaface_tf
from retinaface_tf import cli
from retinaface_tf.errors import InputError

_LICENCES = {
    "detector": "trained with WIDER FACE's five points: non-commercial research only",
    "backbone": "its publisher's licence; ImageNet's images are for non-commercial research",
}

_PARTIAL = flags.DEFINE_bool(
    "partial", False, "Writes what matched, and random weights for the rest."
)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        raise InputError("expected SRC and DST: python -m retinaface_tf.model.weights SRC DST")
    source, destination = arguments
    config = cli.read_config()
    cli.start_tensorflow()
    from retinaface_tf.model.foreign import assign, check_full, read_foreign
    from retinaface_tf.model.loading import save_weights
    from retinaface_tf.model.network import build_backbone, build_network
    from retinaface_tf.model.state_dict import find_file

    path = find_file(source)
    foreign = read_foreign(path)
    network = build_network(config) if foreign.is_detector else build_backbone(config.model)
    fit = assign(network, foreign)
    print(fit.report())
    if not _PARTIAL.value:
        check_full(fit, foreign, network)
    kind = "detector" if foreign.is_detector else "backbone"
    provenance = {
        "source": source,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "kind": f"{foreign.kind}, {kind}",
        "date": date.today().isoformat(),
        "licence": _LICENCES[kind],
        "retinaface_tf": retinaface_tf.__version__,
    }
    save_weights(network, destination, provenance)
    print(f"{kind} {config.model.backbone} of {Path(path).name} written to {destination}")
    return 0


if __name__ == "__main__":
    cli.run(main)
