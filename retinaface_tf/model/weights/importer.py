"""Imports the weights of other projects into files of this one."""

from datetime import date
from pathlib import Path

import keras

import retinaface_tf
from retinaface_tf.config import Config
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights import files
from retinaface_tf.model.weights.assignment import Assignment, assign, check_complete
from retinaface_tf.model.weights.imported import ImportedTensors, read_imported
from retinaface_tf.model.weights.sample_check import warn_unless_faces_are_found
from retinaface_tf.model.weights.state_dict import find_file

_LICENCES = {
    "detector": "trained with WIDER FACE's five points: non-commercial research only",
    "backbone": "its publisher's licence; ImageNet's images are for non-commercial research",
}


def import_weights(
    source: str | Path, destination: str | Path, config: Config, partial: bool = False
) -> Assignment:
    """Writes the weights of another project to a Keras file that records their origin.

    Args:
        source: a RetinaFace of biubug6, yakhyo or MindSpore, or an ImageNet backbone of PyTorch or
            MindSpore: a .pth, .safetensors or .ckpt file, or the name of a Hugging Face hub
            repository.
        destination: the file to write; its name ends in `.weights.h5`.
        config: of the network that the weights are for.
        partial: writes the network even if some of its variables keep their random values.

    Returns:
        Which tensors matched.

    Raises:
        IncompleteWeightsError: not all tensors match or, if `partial`, none; nothing is written.
        InputError: `source` is missing or broken, or `destination` cannot be written.
    """
    files.check_name(Path(destination))
    imported = read_imported(find_file(source))
    network = build_network(config) if imported.is_detector else build_backbone(config.model)
    assignment = assign(network, imported)
    if not (partial and assignment.matched):
        check_complete(assignment, imported, network)
    if imported.is_detector and not partial:
        warn_unless_faces_are_found(network, config, str(source))
    provenance = _provenance(source, imported, assignment, network)
    files.save_weights(network, destination, provenance)
    return assignment


def _provenance(
    source: str | Path, imported: ImportedTensors, assignment: Assignment, network: keras.Model
) -> dict[str, str]:
    """Returns what the file records of its origin."""
    return {
        "source": str(source),
        "file": str(imported.path.resolve()),  # a file of the hub has the commit in its path
        "sha256": files.sha256(imported.path),
        "kind": f"{imported.file_kind}, {imported.kind}",
        "matched": f"{len(assignment.matched)} of {len(network.variables)}",
        "date": date.today().isoformat(),
        "licence": _LICENCES[imported.kind],
        "retinaface_tf": retinaface_tf.__version__,
    }
