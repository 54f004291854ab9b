"""Counts the operations that a training step executes, and how often the host waits.

    python benchmarks/step_operations.py --batch 1 --batch 8 --batch 32

On a GPU each operation outside the network is a launch, and each wait, for a size that depends on
data or the predicate of a branch or loop, drains the queue. The counts are from a profile of a
MobileNet step on drawn faces, and are the same on a CPU. Images are small, as their size changes no
count; with `--set train.xla=true`, the step must be one compiled cluster. The exit code is 2 above
the limits.
"""

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import DOES_NOT_HOLD

_BATCH = flags.DEFINE_multi_integer("batch", [1, 8, 32], "Images per step.", lower_bound=1)
_FACES = flags.DEFINE_integer("faces", 16, "Faces per image.", lower_bound=0)
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
