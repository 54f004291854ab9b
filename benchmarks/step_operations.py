"""Counts the operations that a training step executes, and how often the host waits in it.

    python benchmarks/step_operations.py --batch 1 --batch 8 --batch 32

On a GPU each operation outside of the network is a launch, and each wait empties its queue: sizes
that depend on data, predicates of branches and loops. Counted from a profile of a step of MobileNet
on drawn faces, which is the same on a CPU. Images are small, since their size changes no count;
with `--set train.xla=true` the step is to be one compiled cluster. Exit code 2 above the limits.
"""

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import DOES_NOT_HOLD

_BATCH = flags.DEFINE_multi_integer("batch", [1, 8, 32], "Images a step.", lower_bound=1)
_FACES = flags.DEFINE_integer("faces", 16, "Faces an image.", lower_bound=0)
_SET = flags.DEFINE_multi_string("set", [], "Further settings, key=value.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    cli.start_tensorflow()
    from operations import count_operations, make_step_and_batch, within_limits

    print(f"{'batch':>5}  {'part':<8}{'executions':>12}{'waits':>7}")
    holds = True
    for images in _BATCH.value:
        step, batch = make_step_and_batch(images, _FACES.value, _SET.value)
        step(batch)
        counts = count_operations(lambda s=step, b=batch: float(s(b)["loss"]))
        for part, (executions, waits) in counts.items():
            print(f"{images:>5}  {part:<8}{executions:>12}{waits:>7}")
        holds &= within_limits(counts)
    return 0 if holds else DOES_NOT_HOLD


if __name__ == "__main__":
    cli.run(main)
