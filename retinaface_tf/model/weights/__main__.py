"""Imports the weights of others: python -m retinaface_tf.model.weights SRC DST --cfg ...

SRC is a RetinaFace of biubug6, yakhyo or MindSpore, or an ImageNet backbone of PyTorch or
MindSpore: a .pth, .safetensors or .ckpt file, or a name of the Hugging Face hub such as
timm/resnet50.tv_in1k. DST is a Keras file, whose name ends in .weights.h5. Prints which tensors
matched; unless all did, nothing is written.
"""

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
    from retinaface_tf.model import network
    from retinaface_tf.model.weights import files, foreign, state_dict

    files.check_name(Path(destination))
    path = state_dict.find_file(source)
    theirs = foreign.read_foreign(path)
    kind = "detector" if theirs.is_detector else "backbone"
    ours = (
        network.build_network(config)
        if theirs.is_detector
        else network.build_backbone(config.model)
    )
    fit = foreign.assign(ours, theirs)
    print(fit.report())
    if not (_PARTIAL.value and fit.matched):
        foreign.check_full(fit, theirs, ours)
    provenance = {
        "source": source,
        "file": str(path.resolve()),  # a hub's has the commit in its path
        "sha256": files.sha256(path),
        "kind": f"{theirs.kind}, {kind}",
        "matched": f"{len(fit.matched)} of {len(ours.variables)}",
        "date": date.today().isoformat(),
        "licence": _LICENCES[kind],
        "retinaface_tf": retinaface_tf.__version__,
    }
    files.save_weights(ours, destination, provenance)
    print(f"{kind} {config.model.backbone} of {path.name} written to {destination}")
    return 0


if __name__ == "__main__":
    cli.run(main)
