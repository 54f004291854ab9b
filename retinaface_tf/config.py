"""One run as data: frozen, validated dataclasses, one for each section of a YAML file.

Every key is required to be known, every value to be in range. Imports no TensorFlow.
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

# Pixels between anchors, by level: every backbone of `model.backbones` is tapped at these.
STRIDES = (8, 16, 32)
Levels = tuple[tuple[int, int], ...]  # cells, and anchors of a cell, by level
# Of an image file that anybody may have sent. Larger ones are not decoded.
MAX_SIDE = 16_384
MAX_PIXELS = 67_108_864

# The text below a setting is its description, from which the page of all settings is made.
_RULES = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True, config=_RULES)
class DataConfig:
    """Names the images and labels of a run, and says how training images are made."""

    root: str = "data/widerface"
    """The folder of the data set."""
    train_labels: str = "train/label.txt"
    """Labels to train on: a file below `data.root`, or an absolute path."""
    val_labels: str = "val/label.txt"
    """Labels to validate on, likewise."""
    image_size: Annotated[int, Field(ge=32)] = 840
    """Side in pixels of the square images that the network trains on."""
    augmentation: Literal["biubug6", "mindspore", "scrfd"] = "biubug6"
    """The recipe of crops and colours: `biubug6` crops at five scales and jitters colours;
    `mindspore` crops at any scale and leaves colours; `scrfd` is `biubug6` that also zooms out.
    """
    num_workers: Count | None = None
    """Threads that read images; null leaves the number to tf.data."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What happens where training images are missing or broken: `stop` names one and ends, `skip`
    leaves them out and names them.
    """
    drawn_train: CountOrZero = 0
    """Training images to draw where `data.root` does not exist; 0 draws none."""
    drawn_val: CountOrZero = 0
    """Validation images to draw, likewise."""

    @model_validator(mode="before")
    @classmethod
    def _drop_ground_truth(cls, given: Any) -> Any:
        """Accepts `ground_truth: ground_truth`, which earlier versions wrote beside runs."""
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
    """The type that the network computes in; loss and statistics stay in float32 or above."""
    pretrained: str | None = None
    """Weights of the backbone: a file of this project or of others, or the name of a repository of
    the Hugging Face hub; null starts from random ones.
    """
    init: str | None = None
    """Weights of the whole network to start from; schedule and optimizer start anew."""
    freeze: tuple[Part, ...] = ()
    """Stages of the backbone that do not learn, or `norms`, all batch norms: neither their weights
    nor their statistics change.
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
    """Divisors of the coded centres and of the coded sizes."""
    clip: bool = False
    """Whether anchors are cut at the border of the image."""

    @model_validator(mode="before")
    @classmethod
    def _drop_strides(cls, given: Any) -> Any:
        """Accepts `strides: [8, 16, 32]`, which earlier versions wrote beside runs and exports."""
        if isinstance(given, dict) and given.get("strides") in (STRIDES, [*STRIDES]):
            return {key: value for key, value in given.items() if key != "strides"}
        return given

    @model_validator(mode="after")
    def _one_level_per_stride(self) -> "AnchorConfig":
        if len(self.sizes) != len(STRIDES):
            raise ValueError(f"{len(self.sizes)} levels of sizes for {len(STRIDES)} strides")
        return self

    def levels(self, height: int, width: int) -> "Levels":
        """Returns the cells, and the anchors of a cell, of each level of an image of that size."""
        return tuple(
            (math.ceil(height / stride) * math.ceil(width / stride), len(sizes))
            for sizes, stride in zip(self.sizes, STRIDES, strict=True)
        )

    def count(self, height: int, width: int) -> int:
        """Counts the anchors of an image of that size in pixels: 29,126 at 840 x 840."""
        return sum(cells * sizes for cells, sizes in self.levels(height, width))


@dataclass(frozen=True, kw_only=True, config=_RULES)
class MatchConfig:
    """Says which anchors answer for a face."""

    method: Literal["iou", "atss"] = "iou"
    """How anchors are found: `iou` by thresholds, `atss` by a threshold for each face."""
    iou: Fraction = 0.35
    """IoU from which on an anchor answers for a face, by method `iou`."""
    min_best_iou: Fraction = 0.2
    """IoU from which on a face claims its best anchor, even if no anchor reaches `match.iou`."""
    candidates: Count = 9
    """Cells of each level, those nearest to a face, whose anchors `atss` considers."""


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
    """Hard negatives of an image for each of its positive anchors."""
    min_negatives: CountOrZero = 0
    """Hard negatives of an image without faces; 0 leaves such images out."""
    scores: Literal["cross_entropy", "quality_focal"] = "cross_entropy"
    """The loss of scores: `cross_entropy` of faces and hard negatives; `quality_focal` of all
    anchors, towards the IoU of their box.
    """
    boxes: Literal["smooth_l1", "diou"] = "smooth_l1"
    """The loss of boxes: `smooth_l1` of their codes, or `diou`, the distance-IoU of boxes."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class OptimizerConfig:
    """Says how gradients change the weights."""

    name: Literal["sgd", "momentum"] = "sgd"
    """The rule: `sgd`, with momentum and weight decay; `momentum` is the same without weight decay,
    as in the MindSpore original.
    """
    learning_rate: Positive = 0.01
    """The learning rate after the warm-up, for the global batch as it is: nothing scales it."""
    momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Share of the last update that the next one keeps."""
    weight_decay: NotNegative = 5e-4
    """Decay of all weights, those of batch norm and biases included."""
    clip_norm: Positive | None = None
    """Largest norm of all gradients together; null does not clip."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the averaged weights, which evaluation then uses; null does not average."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ScheduleConfig:
    """Says how the learning rate changes over the epochs."""

    lr_type: Literal["dynamic_lr", "standard_lr", "step_lr", "cosine"] = "dynamic_lr"
    """The shape: `dynamic_lr` warms up and follows a cosine, `standard_lr` warms up and falls in
    steps, `step_lr` falls in steps without a warm-up, `cosine` warms up from 0 and falls to 0.
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
    """Images a step for each device of the recipe."""
    num_devices: Count = 4
    """Devices of the recipe: `train.batch_per_device` times this is the global batch, whatever runs
    it.
    """
    min_epoch_steps: CountOrZero = 0
    """Steps of an epoch, for small sets: the batch is halved until there are so many."""
    devices: tuple[CountOrZero, ...] | None = None
    """GPUs to use, by number; null uses all there are."""
    cpu_devices: Count = 1
    """Logical CPU devices, to try several where there is no GPU."""
    cluster: Literal["auto", "none", "tf_config", "slurm"] = "auto"
    """What names the other workers: `tf_config`, `slurm` or `none`; `auto` takes TF_CONFIG if it is
    set, else Slurm if it started the process.
    """
    accumulate: Count = 1
    """Parts in which a device takes its share of a batch, one after the other: saves memory."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Seed of the data order, the augmentation and the first weights."""
    deterministic: bool = False
    """Whether every run ends in the same bits; slower."""
    workdir: str = "runs/res50"
    """The folder of the run: checkpoints, curves and results."""
    checkpoint_steps: Count = 2000
    """Steps between checkpoints."""
    keep_checkpoints: Count = 2
    """How many of the newest checkpoints to keep, besides the best weights."""
    validate_epochs: CountOrZero = 0
    """Epochs between measurements of AP; 0 makes none."""
    validate_images: Count = 400
    """Validation images of each measurement, evenly spread over all."""
    early_stop: Count | None = None
    """Measurements without a new best after which the run ends; null goes on."""
    log_steps: Count = 20
    """Steps between reports."""
    steps_per_call: Count = 1
    """Steps that TensorFlow makes before it comes back to Python."""
    xla: bool = False
    """Whether XLA compiles the whole step; on one device only."""
    max_bad_steps: Count = 10
    """Steps in a row without a finite loss and gradient after which the run ends."""

    @model_validator(mode="after")
    def _measures_what_it_stops_by(self) -> "TrainConfig":
        if self.early_stop is not None and not self.validate_epochs:
            raise ValueError("early_stop goes by validation, expected validate_epochs above 0")
        return self

    @property
    def global_batch(self) -> int:
        """Returns the images of a step over all devices."""
        return self.batch_per_device * self.num_devices


@dataclass(frozen=True, kw_only=True, config=_RULES)
class DetectorConfig:
    """Sets thresholds and limits of detection."""

    score_threshold: Fraction = 0.02
    """Score below which a box is no detection."""
    nms_iou: Fraction = 0.4
    """IoU above which NMS drops the box of the lower score."""
    top_k: Count | None = 5000
    """Boxes of an image that an exported model gives to NMS, best first; evaluation has no limit.
    """
    max_detections: Count | None = 750
    """Detections of an image that an exported model answers with; evaluation has no limit."""
    max_pixels: Annotated[int, Field(ge=4_000_000)] = 8_388_608
    """Pixels that the network sees at once; larger images are detected in tiles."""
    min_face: Positive = 1
    """Size in pixels of the smallest face that is wanted; a larger one saves passes over an image,
    but smaller faces may still be found.
    """
    max_face: Positive | None = None
    """Size in pixels of the largest face that is wanted, likewise; null is as large as the image.
    """


@dataclass(frozen=True, kw_only=True, config=_RULES)
class EvalConfig:
    """Says how AP is measured."""

    protocol: Literal["resized", "original", "vga", "ms_flip", "all_sizes"] = "resized"
    """Sizes at which the network sees an image."""
    short_side: Count = 1600
    """Pixels of the short side by protocol `resized`."""
    long_side: Count = 2176
    """Largest long side in pixels by protocol `resized`."""
    short_sides: Annotated[tuple[Count, ...], Field(min_length=1)] = (500, 800, 1100, 1400, 1700)
    """Pixels of the short sides by protocol `ms_flip`, each of them mirrored too."""
    iou: Fraction = 0.5
    """IoU from which on a detection finds a face."""
    ground_truth: str | None = None
    """The folder of the .mat files; null is `ground_truth` below `data.root`."""
    weights: str | None = None
    """Weights to evaluate; null is the best of `train.workdir` where it measured AP, else its
    newest.
    """
    save_results: bool = True
    """Whether the detections are written, too."""
    out: str | None = None
    """The folder of the results; null is `eval` in `train.workdir`."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ExportConfig:
    """Sets sizes and the check of exported models."""

    resized_side: Annotated[int, Field(ge=32, le=2000)] = 640
    """Side in pixels of the square on which the signature `detect_resized` sees images."""
    max_side: Count = MAX_SIDE
    """Longest side in pixels of an image that a served model takes."""
    max_pixels: Count = MAX_PIXELS
    """Most pixels of an image that a served model takes."""
    parity_images: Count = 8
    """Images on which an export has to answer as its source does."""


@dataclass(frozen=True, kw_only=True, config=_RULES)
class Config:
    """Holds all settings of a run, a section each.

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
        """Returns sections as plain dictionaries, for YAML and JSON."""
        return TypeAdapter(Config).dump_python(self, mode="json")

    def below_root(self, path: str) -> Path:
        """Returns a path of the data section: below `data.root` unless absolute."""
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
