"""Lists this package's weights, and imports those of other projects.

    retinaface weights list
    retinaface weights import SRC DST --cfg ...

`list` prints name, backbone, AP, licence, file and SHA-256 of the weights shipped with the
package. Their names are accepted wherever weights are.

`import` (the word may be left out) takes as SRC a RetinaFace of biubug6, yakhyo or MindSpore, or an
ImageNet backbone of PyTorch or MindSpore: a .pth, .safetensors or .ckpt file, or the name of a
Hugging Face hub repository such as timm/resnet50.tv_in1k. DST is the Keras file to write; its name
ends in .weights.h5. The command prints which tensors matched; unless all did, it writes nothing.
"""

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config_flags import read_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.zoo import named_weights
from retinaface_tf.printing import say

_PARTIAL = flags.DEFINE_bool(
    "partial", False, "Writes the tensors that matched, and random weights for the rest."
)


def main(arguments: list[str]) -> int:
    if arguments == ["list"]:
        for entry in named_weights().values():
            say(entry)
        return 0
    if arguments[:1] == ["import"]:
        arguments = arguments[1:]
    if len(arguments) != 2:
        raise InputError("expected `list`, or `import` with SRC and DST")
    return _import(*arguments)


def _import(source: str, destination: str) -> int:
    config = read_config()
    cli.start_tensorflow()
    from retinaface_tf.model.weights.assignment import IncompleteWeightsError
    from retinaface_tf.model.weights.importer import import_weights

    try:
        assignment = import_weights(source, destination, config, partial=_PARTIAL.value)
    except IncompleteWeightsError as error:
        say(error.assignment.report())
        raise
    say(assignment.report())
    say(f"{destination}: weights of {config.model.backbone} from {source}")
    return 0


if __name__ == "__main__":
    cli.run(main)
