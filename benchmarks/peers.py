"""Runs the peers of the benchmarks, unchanged, from checkouts that the user names.

    git clone of biubug6/Pytorch_Retinaface     needs the extra `peers`
    git clone of peteryuX/retinaface-tf2        needs it too, to train

Peers that use a GPU by default are kept on the CPU, unless `biubug6_step` is told otherwise. None
of their code is copied here.
"""

import contextlib
import functools
import importlib.util
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from retinaface_tf.config import STRIDES, Config
from retinaface_tf.errors import InputError

BIUBUG6_MEAN = (104, 117, 123)  # blue, green, red


@contextlib.contextmanager
def _imports_of(checkout: str) -> Iterator[None]:
    """Makes the modules of a checkout importable.

    Raises:
        InputError: the folder is not such a checkout, or a package that it needs is missing.
    """
    sys.path.insert(0, str(Path(checkout).resolve()))
    try:
        yield
    except ImportError as error:
        raise InputError(f"{checkout}: not a checkout that can be run here: {error}") from None
    finally:
        del sys.path[0]


def biubug6_batches(checkout: str, config: Config, batch: int) -> Callable[[], Any]:
    """Returns batches of the peer's loader, images and faces, made in this process."""
    with _imports_of(checkout):
        from data import WiderFaceDetection, detection_collate, preproc
    labels = str(config.below_root(config.data.train_labels))
    dataset = WiderFaceDetection(labels, preproc(config.data.image_size, BIUBUG6_MEAN))
    with_faces = [i for i, faces in enumerate(dataset.words) if faces]
    return lambda: detection_collate([dataset[i] for i in random.choices(with_faces, k=batch)])


def biubug6_augmentation(checkout: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Returns the peer's crop and colour jitter."""
    with _imports_of(checkout):
        from data.data_augment import _crop, _distort
    return _crop, _distort


def biubug6_settings(checkout: str, config: Config, device: str = "cpu") -> dict[str, Any]:
    """Returns the peer's config for our backbone, without pretrained weights."""
    with _imports_of(checkout):
        from data.config import cfg_mnet, cfg_re50
    cfg_mnet["gpu_train"] = device == "cuda"  # the loss module reads it on import
    settings = {"mobilenet025": cfg_mnet, "resnet50": cfg_re50}[config.model.backbone]
    return {**settings, "pretrain": False}


def biubug6_network(checkout: str, config: Config, weights: str | None = None) -> Any:
    """Returns the peer's network, for training or, with weights, for detection."""
    settings = biubug6_settings(checkout, config)
    with _imports_of(checkout):
        import torch
        from models.retinaface import RetinaFace
    if weights is None:
        return RetinaFace(settings, phase="train").train()
    network = RetinaFace(settings, phase="test").eval()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict({name.removeprefix("module."): v for name, v in state.items()})
    return network


def biubug6_random_weights(checkout: str, config: Config, file: Path) -> None:
    """Writes random weights of the peer's network, which ours accepts, too."""
    network = biubug6_network(checkout, config)
    with _imports_of(checkout):
        import torch
    torch.save(network.state_dict(), file)


def biubug6_step(
    checkout: str, config: Config, precision: str = "float32", device: str = "cpu"
) -> Callable[[Any, Any], float]:
    """Returns a training step as in the peer's train.py: forward, loss, backward, update.

    Returns:
        A function of images, float32 [B, 3, S, S], and their faces, a list of [G, 15], all on
        `device`, "cpu" or "cuda".
    """
    network = biubug6_network(checkout, config)
    settings = biubug6_settings(checkout, config, device)
    with _imports_of(checkout):
        import torch
        from layers.functions.prior_box import PriorBox
        from layers.modules import MultiBoxLoss
    if device == "cpu":
        torch.Tensor.cuda = lambda self, *_, **__: self  # its loss always calls cuda()
    torch.backends.cudnn.benchmark = True
    network = network.to(device)
    side = config.data.image_size
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    criterion = MultiBoxLoss(2, 0.35, True, 0, True, 7, 0.35, False)
    with torch.no_grad():
        anchors = PriorBox(settings, image_size=(side, side)).forward().to(device)

    def step(images: Any, faces: Any) -> float:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = network(images)
        optimizer.zero_grad()
        boxes, scores, landmarks = criterion([x.float() for x in outputs], anchors, faces)
        loss = settings["loc_weight"] * boxes + scores + landmarks
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def biubug6_detector(
    checkout: str, config: Config, weights: str
) -> Callable[..., tuple[Any, Any, Any]]:
    """Returns the peer's detection, as in its test_widerface.py.

    Returns:
        A function of pixels, float32 [H, W, 3], blue first, and of their scale. It returns boxes
        and scores [N, 5] and landmarks [N, 10] above the threshold, best first, and which of them
        NMS keeps.
    """
    settings = biubug6_settings(checkout, config)
    network = biubug6_network(checkout, config, weights)
    with _imports_of(checkout):
        import torch
        from layers.functions.prior_box import PriorBox
        from utils.box_utils import decode, decode_landm
        from utils.nms.py_cpu_nms import py_cpu_nms

    @torch.no_grad()
    def detect(pixels: Any, scale: float = 1.0) -> tuple[Any, Any, Any]:
        height, width = pixels.shape[:2]
        size = torch.tensor([width, height], dtype=torch.float32)
        images = torch.from_numpy((pixels - np.float32(BIUBUG6_MEAN)).transpose(2, 0, 1))[None]
        offsets, scores, points = network(images)
        anchors = PriorBox(settings, image_size=(height, width)).forward()
        boxes = decode(offsets[0], anchors, settings["variance"]) * size.repeat(2) / scale
        landmarks = decode_landm(points[0], anchors, settings["variance"]) * size.repeat(5) / scale
        scores = scores[0, :, 1].numpy()
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > config.detector.score_threshold]
        found = np.hstack([boxes.numpy()[order], scores[order, None]]).astype(np.float32)
        return found, landmarks.numpy()[order], py_cpu_nms(found, config.detector.nms_iou)

    return detect


def peteryux_batches(checkout: str, config: Config, batch: int) -> Callable[[], Callable[[], Any]]:
    """Returns matched, encoded batches of the peer's tf.data pipeline: a new iterator per call.

    The pipeline needs a TFRecord, which the peer's own functions write here from our training set.
    """
    import tensorflow as tf

    with _imports_of(checkout):
        from modules.anchor import prior_box
        from modules.dataset import load_tfrecord_dataset
    side = config.data.image_size
    dataset = load_tfrecord_dataset(
        str(_peteryux_records(checkout, config)),
        batch,
        side,
        priors=prior_box((side, side), config.anchors.sizes, STRIDES),
        buffer_size=100,  # instead of its 10,240, as filling is not measured
    )
    tf.get_logger().setLevel("ERROR")
    return lambda: iter(dataset).__next__


def _peteryux_records(checkout: str, config: Config) -> Path:
    import tensorflow as tf

    convert = _module(Path(checkout) / "data" / "convert_train_tfrecord.py")
    file = Path(tempfile.mkdtemp(prefix="peteryux-")) / "train.tfrecord"
    paths, faces = convert.load_info(str(config.below_root(config.data.train_labels)))
    with tf.io.TFRecordWriter(str(file)) as writer:
        for path, rows in zip(paths, faces, strict=True):
            if rows:  # the peer fails on images without faces
                name, target = Path(path).stem.encode(), convert.get_target(rows)
                example = convert.make_example(name, path.encode(), target, is_binary=True)
                writer.write(example.SerializeToString())
    return file


def peteryux_step(
    checkout: str, config: Config, batch: int
) -> tuple[Callable[[Any, Any], Any], Any]:
    """Returns a training step as in the peer's train.py, ResNet-50, and its network."""
    import tensorflow as tf

    with _imports_of(checkout):
        from modules import models
        from modules.losses import MultiBoxLoss
    # Its own way to do without downloaded weights cannot be reached from outside.
    models.Backbone = functools.partial(models.Backbone, use_pretrain=False)
    settings = {
        "input_size": config.data.image_size,
        "batch_size": batch,
        "backbone_type": "ResNet50",
        "out_channel": 256,
        "min_sizes": config.anchors.sizes,
        "weights_decay": 5e-4,
    }
    network = models.RetinaFaceModel(settings, training=True)
    optimizer = tf.keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True)
    multi_box_loss = MultiBoxLoss()

    @tf.function
    def step(images: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            predictions = network(images, training=True)
            loss = tf.add_n([*network.losses, *multi_box_loss(targets, predictions)])
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    return step, network


def _module(file: Path) -> ModuleType:
    """Returns a module by its file, for packages that share their name with another."""
    specification = importlib.util.spec_from_file_location(file.stem, file)
    if specification is None or specification.loader is None or not file.exists():
        raise InputError(f"{file}: not in that checkout")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def biubug6_evaluation(checkout: str, predictions: str, ground_truth: str) -> None:
    """Runs the peer's evaluation of a folder of predictions.

    Its Cython part, the overlaps, does not compile with NumPy 2, so NumPy computes the overlaps.
    """
    stand_ins = {"bbox": ModuleType("bbox"), "IPython": ModuleType("IPython")}
    stand_ins["bbox"].bbox_overlaps = _overlaps  # type: ignore[attr-defined]
    stand_ins["IPython"].embed = None  # type: ignore[attr-defined]
    sys.modules.update(stand_ins)
    with _imports_of(f"{checkout}/widerface_evaluate"):
        from evaluation import evaluation
    evaluation(predictions, ground_truth)


def _overlaps(boxes: Any, others: Any) -> Any:
    a, b = boxes[:, None], others[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(each[..., 2:] - each[..., :2] + 1, axis=-1) for each in (a, b)]
    return shared / (areas[0] + areas[1] - shared)
