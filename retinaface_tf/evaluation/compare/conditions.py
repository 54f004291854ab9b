"""Finds the conditions in which evaluations differ, which make their APs incomparable.

An evaluation scored from files has the protocol of the evaluation that made them, if known.
"""

from retinaface_tf.evaluation.result import Evaluation

UNKNOWN = "unknown"


def differences(evaluation: Evaluation, first: Evaluation, *, own_truth: bool) -> tuple[str, ...]:
    """Names the conditions in which an evaluation differs from the first.

    Args:
        evaluation: of a run.
        first: the evaluation that it is compared with.
        own_truth: whether both have the ground truth of their own settings. Otherwise one was named
            for both, and they can differ only in the number of images.

    Returns:
        Differences such as `protocol vga, not original`.
    """
    pairs = {
        "protocol": (_protocol(evaluation), _protocol(first)),
        "images": (evaluation.images, first.images),
    }
    if own_truth:
        pairs["ground truth"] = (_ground_truth(evaluation), _ground_truth(first))
    return tuple(
        f"{name} {own}, not {other}" for name, (own, other) in pairs.items() if own != other
    )


def _protocol(evaluation: Evaluation) -> str:
    """Names the protocol and its sizes, such as `resized 1600 2176`."""
    maker = evaluation.maker
    settings = maker.config.eval
    sizes = {
        "resized": (settings.short_side, settings.long_side),
        "ms_flip": settings.short_sides,
    }
    return " ".join(map(str, (maker.protocol or UNKNOWN, *sizes.get(maker.protocol or "", ()))))


def _ground_truth(evaluation: Evaluation) -> str:
    return str(evaluation.config.ground_truth_folder.resolve())
