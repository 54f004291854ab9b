"""Describes a run as data: frozen, validated dataclasses, one for each section of a YAML file.

Unknown keys and values out of range are refused. Imports no TensorFlow.
"""

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Part = Literal["stem", "stage1", "stage2", "stage3", "stage4", "norms"]

# Pixels between anchors, by level: the strides at which every backbone is tapped.
STRIDES = (8, 16, 32)
Levels = tuple[tuple[int, int], ...]  # cells, and anchors per cell, of each level
# Limits on image files, which anybody may have sent; larger ones are not decoded.
MAX_SIDE = 16_384
MAX_PIXELS = 67_108_864

# The text below a setting is its description on the reference page of all settings.
_RULES = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True, config=_RULES)
class DataConfig:
    """Names the images and labels of a run, and says how training images are made."""

    root: str = "data/widerface"
    """The folder of the data set."""
    train_labels: str = "train/label.txt"
    """Labels to train on: a file below `data.root`, or an absolute path."""
    val_labels: str = "val/label.txt"
    """Labels to validate on: a file below `data.root`, or an absolute path."""
    image_size: Annotated[int, Field(ge=32)] = 840
    """Side in pixels of the square images that the network trains on."""
    augmentation: Literal["biubug6", "mindspore", "scrfd"] = "biubug6"
    """The augmentation recipe: `biubug6` crops at five scales and jitters colours; `mindspore`
    crops at any scale and leaves colours alone; `scrfd` is `biubug6` that also zooms out.
    """
    num_workers: Count | None = None
    """Threads that read images; null leaves the number to tf.data."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What to do if training images are missing or broken: `stop` names one and ends the run,
    `skip` leaves them out and names them.
    """
    drawn_train: CountOrZero = 0
    """Synthetic training images to draw if `data.root` does not exist; 0 draws none."""
    drawn_val: CountOrZero = 0
    """Synthetic validation images to draw if `data.root` does not exist; 0 draws none."""

    @model_validator(mode="before")
    @classmethod
    def _drop_ground_truth(cls, given: Any) -> Any:
        """Accepts `ground_truth: ground_truth`, which earlier versions wrote into configs."""
        if isinstance(given, dict) and given.get("ground_truth") == "ground_truth":
            return {key: value for key, value in given.items() if key != "ground_truth"}
        return given


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ModelConfig:
    """Describes the network and the weights that it starts from."""

    backbone: Literal["resnet18", "resnet34", "resnet50", "mobilenet025", "mobilenetv2"] = (
        "resnet50"
    )
    """The network that turns pixels into features."""
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    """The data type that the network computes in; loss and statistics stay in float32 or above."""
    pretrained: str | None = None
    """Weights of the backbone: a file of this or another project, or the name of a Hugging Face
    hub repository; null starts from random weights.
    """
    init: str | None = None
    """Weights of the whole network to start from; schedule and optimizer start afresh."""
    freeze: tuple[Part, ...] = ()
    """Stages of the backbone to freeze, or `norms` for all batch norms: neither their weights nor
    their statistics change.
    """


@dataclass(frozen=True, kw_only=True, config=_RULES)
class AnchorConfig:
    """Lays out the anchors: boxes of fixed sizes that the network corrects."""

    sizes: tuple[Annotated[tuple[Positive, ...], Field(min_length=1)], ...] = (
        (16, 32),
        (64, 128),
        (256, 512),
    )
    """Sides in pixels of the square anchors in each cell, for the strides 8, 16 and 32."""
    variances: tuple[Positive, Positive] = (0.1, 0.2)
    """Divisors of the box coder, for centres and for sizes."""
    clip: bool = False
    """Whether anchors are clipped to the image."""

    @model_validator(mode="before")
    @classmethod
    def _drop_strides(cls, given: Any) -> Any:
        """Accepts `strides: [8, 16, 32]`, which earlier versions wrote into configs."""
        if isinstance(given, dict) and given.get("strides") in (STRIDES, [*STRIDES]):
            return {key: value for key, value in given.items() if key != "strides"}
        return given

    @model_validator(mode="after")
    def _one_level_per_stride(self) -> "AnchorConfig":
        if len(self.sizes) != len(STRIDES):
            raise ValueError(f"{len(self.sizes)} levels of sizes for {len(STRIDES)} strides")
        return self

    def levels(self, height: int, width: int) -> "Levels":
        """Returns the cells, and the anchors per cell, of each level for a size in pixels."""
        return tuple(
            (math.ceil(height / stride) * math.ceil(width / stride), len(sizes))
            for sizes, stride in zip(self.sizes, STRIDES, strict=True)
        )

    def count(self, height: int, width: int) -> int:
        """Counts the anchors of an image of `height` x `width` pixels: 29,126 at 840 x 840."""
        return sum(cells * sizes for cells, sizes in self.levels(height, width))


@dataclass(frozen=True, kw_only=True, config=_RULES)
class MatchConfig:
    """Says which anchors are matched to a face."""

    method: Literal["iou", "atss"] = "iou"
    """How anchors are matched: `iou` by fixed thresholds, `atss` by a threshold for each face."""
    iou: Fraction = 0.35
    """Lowest IoU at which an anchor is matched to a face, for method `iou`."""
    min_best_iou: Fraction = 0.2
    """Lowest IoU at which a face claims its best anchor, even if no anchor reaches `match.iou`."""
    candidates: Count = 9
    """Cells of each level, the nearest to a face, whose anchors `atss` considers."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class LossConfig:
    """Weights the terms of the loss and counts the negatives."""

    box_weight: NotNegative = 2.0
    """Weight of the loss of boxes."""
    score_weight: NotNegative = 1.0
    """Weight of the loss of scores."""
    landmark_weight: NotNegative = 1.0
    """Weight of the smooth L1 loss of landmarks."""
    negatives_per_positive: Count = 7
    """Hard negatives in an image for each positive anchor."""
    min_negatives: CountOrZero = 0
    """Hard negatives in an image without positive anchors; 0 leaves out images without faces."""
    scores: Literal["cross_entropy", "quality_focal"] = "cross_entropy"
    """The loss of scores: `cross_entropy` over positive anchors and hard negatives, or
    `quality_focal` over all anchors, with the IoU of their boxes as target.
    """
    boxes: Literal["smooth_l1", "diou"] = "smooth_l1"
    """The loss of boxes: `smooth_l1` of encoded boxes, or `diou`, the distance-IoU of decoded ones.
    """


@dataclass(frozen=True, kw_only=True, config=_RULES)
class OptimizerConfig:
    """Says how gradients change the weights."""

    name: Literal["sgd", "momentum"] = "sgd"
    """The update rule: `sgd` has momentum and weight decay; `momentum` is the same without weight
    decay, as in the MindSpore original.
    """
    learning_rate: Positive = 0.01
    """The learning rate after warm-up; it is not scaled with the batch."""
    momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Fraction of the last update that the next one keeps."""
    weight_decay: NotNegative = 5e-4
    """Decay of all weights, including batch norm and biases."""
    clip_norm: Positive | None = None
    """Largest norm of all gradients together; null does not clip."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the weights' moving average, which evaluation then uses; null keeps no average."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ScheduleConfig:
    """Says how the learning rate changes over the epochs."""

    lr_type: Literal["dynamic_lr", "standard_lr", "step_lr", "cosine"] = "dynamic_lr"
    """The shape of the schedule: `dynamic_lr` warms up and follows a cosine, `standard_lr` warms up
    and falls in steps, `step_lr` falls in steps without a warm-up, `cosine` warms up from 0 and
    falls to 0.
    """
    warmup_epochs: CountOrZero = 5
    """Epochs over which `dynamic_lr` and `standard_lr` raise the learning rate."""
    decay_epochs: tuple[Count, ...] = (70, 90)
    """Epochs at which `standard_lr` and `step_lr` multiply the learning rate by `schedule.gamma`.
    """
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of each step of `standard_lr` and `step_lr`."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class TrainConfig:
    """Says how long a run trains, on which devices, and what it keeps."""

    epochs: Count = 100
    """Passes over the training images."""
    batch_per_device: Count = 8
    """Images per step on each device of the recipe."""
    num_devices: Count = 4
    """Devices of the recipe: the global batch is `train.batch_per_device` times this, whatever
    devices the run has.
    """
    min_epoch_steps: CountOrZero = 0
    """Fewest steps per epoch: the batch is halved until an epoch of a small data set has as many.
    """
    devices: tuple[CountOrZero, ...] | None = None
    """GPUs to use, by number; null uses all there are."""
    cpu_devices: Count = 1
    """Logical CPU devices, to try several devices without a GPU."""
    cluster: Literal["auto", "none", "tf_config", "slurm"] = "auto"
    """How a worker finds the others: `tf_config`, `slurm` or `none`; `auto` uses TF_CONFIG if it is
    set, else Slurm if Slurm started the process.
    """
    accumulate: Count = 1
    """Parts into which a device splits its share of a batch, to save memory."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Seed of the data order, the augmentation and the first weights."""
    deterministic: bool = False
    """Whether runs are equal bit for bit; slower."""
    workdir: str = "runs/res50"
    """The folder of the run: checkpoints, curves and results."""
    checkpoint_steps: Count = 2000
    """Steps between checkpoints."""
    keep_checkpoints: Count = 2
    """How many of the newest checkpoints to keep, besides the best weights."""
    validate_epochs: CountOrZero = 0
    """Epochs between measurements of AP; 0 never measures it."""
    validate_images: Count = 400
    """Validation images in each measurement, spread evenly over the set."""
    early_stop: Count | None = None
    """The run ends after this many measurements without a new best AP; null never ends it early."""
    log_steps: Count = 20
    """Steps between reports of progress."""
    steps_per_call: Count = 1
    """Steps that TensorFlow runs before it returns to Python."""
    xla: bool = False
    """Whether XLA compiles the whole step; on one device only."""
    max_bad_steps: Count = 10
    """The run ends after this many steps in a row whose loss or gradient is not finite."""

    @model_validator(mode="after")
    def _measures_what_it_stops_by(self) -> "TrainConfig":
        if self.early_stop is not None and not self.validate_epochs:
            raise ValueError("early_stop needs validation: expected validate_epochs above 0")
        return self

    @property
    def global_batch(self) -> int:
        """Returns the number of images per step over all devices."""
        return self.batch_per_device * self.num_devices


@dataclass(frozen=True, kw_only=True, config=_RULES)
class DetectorConfig:
    """Sets thresholds and limits of detection."""

    score_threshold: Fraction = 0.02
    """Score below which a box is not a detection."""
    nms_iou: Fraction = 0.4
    """IoU above which NMS drops the box with the lower score."""
    top_k: Count | None = 5000
    """Most boxes per image that an exported model passes to NMS, best first; evaluation: no limit.
    """
    max_detections: Count | None = 750
    """Most detections per image that an exported model returns; evaluation has no limit."""
    max_pixels: Annotated[int, Field(ge=4_000_000)] = 8_388_608
    """Most pixels that the network sees at once; larger images are processed in tiles."""
    min_face: Positive = 1
    """Size in pixels of the smallest face to look for; a larger value saves passes over an image,
    but smaller faces may still be found.
    """
    max_face: Positive | None = None
    """Size in pixels of the largest face to look for; null is the image's own size. A smaller value
    saves passes, but larger faces may still be found.
    """


@dataclass(frozen=True, kw_only=True, config=_RULES)
class EvalConfig:
    """Says how AP is measured."""

    protocol: Literal["resized", "original", "vga", "ms_flip", "all_sizes"] = "resized"
    """Sizes at which the network sees an image."""
    short_side: Count = 1600
    """Short side in pixels for protocol `resized`."""
    long_side: Count = 2176
    """Largest long side in pixels for protocol `resized`."""
    short_sides: Annotated[tuple[Count, ...], Field(min_length=1)] = (500, 800, 1100, 1400, 1700)
    """Short sides in pixels for protocol `ms_flip`; images are also mirrored at each."""
    iou: Fraction = 0.5
    """Lowest IoU at which a detection counts as finding a face."""
    ground_truth: str | None = None
    """The folder of the .mat files; null is `ground_truth` below `data.root`."""
    weights: str | None = None
    """Weights to evaluate; null is the best in `train.workdir` if the run measured AP, else the
    newest.
    """
    save_results: bool = True
    """Whether to write the detections, too."""
    out: str | None = None
    """The folder of the results; null is `eval` in `train.workdir`."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ExportConfig:
    """Sets sizes and the check of exported models."""

    resized_side: Annotated[int, Field(ge=32, le=2000)] = 640
    """Side in pixels of the square in which the signature `detect_resized` sees images."""
    max_side: Count = MAX_SIDE
    """Longest side in pixels of an image that a served model accepts."""
    max_pixels: Count = MAX_PIXELS
    """Most pixels of an image that a served model accepts."""
    parity_images: Count = 8
    """Images in the parity check, on which an export must answer as its source does."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class Config:
    """Holds all settings of a run, by section.

    Examples:
        >>> Config().model.backbone
        'resnet50'
    """

    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    anchors: AnchorConfig = Field(default_factory=AnchorConfig)
    match: MatchConfig = Field(default_factory=MatchConfig)
    loss: LossConfig = Field(default_factory=LossConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    detector: DetectorConfig = Field(default_factory=DetectorConfig)
    eval: EvalConfig = Field(default_factory=EvalConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)

    def as_dict(self) -> dict[str, Any]:
        """Returns the sections as plain dictionaries, for YAML and JSON."""
        return TypeAdapter(Config).dump_python(self, mode="json")

    def below_root(self, path: str) -> Path:
        """Resolves a path of the section `data`: below `data.root` unless absolute."""
        return Path(self.data.root) / path

    def exhaustive(self) -> "Config":
        """Returns a config without limits on candidates and detections, for evaluation.

        Images of WIDER FACE have up to thousands of detections above the threshold.
        """
        unlimited = dataclasses.replace(self.detector, top_k=None, max_detections=None)
        return dataclasses.replace(self, detector=unlimited)

    @property
    def evaluation_folder(self) -> Path:
        """Returns the folder that `eval.json` is written to."""
        return Path(self.eval.out or Path(self.train.workdir) / "eval")

    @property
    def ground_truth_folder(self) -> Path:
        """Returns the folder of the .mat files of the validation set."""
        return Path(self.eval.ground_truth or self.below_root("ground_truth"))
