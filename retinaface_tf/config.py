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
Stage = Literal["stem", "stage1", "stage2", "stage3", "stage4"]

# Pixels between anchors, by level: every backbone of `model.backbones` is tapped at these.
STRIDES = (8, 16, 32)
# Of an image file that anybody may have sent. Larger ones are not decoded.
MAX_SIDE = 16_384
MAX_PIXELS = 67_108_864

_RULES = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_RULES)
class DataConfig:
    root: str = "data/widerface"
    train_labels: str = "train/label.txt"  # below root, unless absolute; so is the next
    val_labels: str = "val/label.txt"
    image_size: Annotated[int, Field(ge=32)] = 840
    augmentation: Literal["biubug6", "mindspore"] = "biubug6"
    num_workers: Count | None = None  # threads that read images; None leaves it to tf.data
    unreadable: Literal["stop", "skip"] = "stop"  # where training images are missing or broken
    drawn_train: CountOrZero = 0  # images to draw where root does not exist; 0 draws none
    drawn_val: CountOrZero = 0

    @model_validator(mode="before")
    @classmethod
    def _drop_ground_truth(cls, given: Any) -> Any:
        """Accepts `ground_truth: ground_truth`, which earlier versions wrote beside runs."""
        if isinstance(given, dict) and given.get("ground_truth") == "ground_truth":
            return {key: value for key, value in given.items() if key != "ground_truth"}
        return given


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ModelConfig:
    backbone: Literal["resnet18", "resnet34", "resnet50", "mobilenet025", "mobilenetv2"] = (
        "resnet50"
    )
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    pretrained: str | None = None  # backbone weights: a file, ours or others', or a hub's name
    init: str | None = None  # weights of the whole network; schedule and optimizer start anew
    freeze: tuple[Stage, ...] = ()  # of the backbone: neither weights nor statistics change


@dataclass(frozen=True, kw_only=True, config=_RULES)
class AnchorConfig:
    sizes: tuple[Annotated[tuple[Positive, ...], Field(min_length=1)], ...] = (
        (16, 32),
        (64, 128),
        (256, 512),
    )
    variances: tuple[Positive, Positive] = (0.1, 0.2)
    clip: bool = False

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

    def count(self, height: int, width: int) -> int:
        """Counts the anchors of an image of that size in pixels: 29,126 at 840 x 840."""
        return sum(
            math.ceil(height / stride) * math.ceil(width / stride) * len(sizes)
            for sizes, stride in zip(self.sizes, STRIDES, strict=True)
        )


@dataclass(frozen=True, kw_only=True, config=_RULES)
class MatchConfig:
    iou: Fraction = 0.35
    min_best_iou: Fraction = 0.2


@dataclass(frozen=True, kw_only=True, config=_RULES)
class LossConfig:
    box_weight: NotNegative = 2.0
    score_weight: NotNegative = 1.0
    landmark_weight: NotNegative = 1.0
    negatives_per_positive: Count = 7
    min_negatives: CountOrZero = 0


@dataclass(frozen=True, kw_only=True, config=_RULES)
class OptimizerConfig:
    name: Literal["sgd", "momentum"] = "sgd"  # the seed's `momentum` drops the weight decay
    learning_rate: Positive = 0.01
    momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    weight_decay: NotNegative = 5e-4
    clip_norm: Positive | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ScheduleConfig:
    lr_type: Literal["dynamic_lr", "standard_lr", "step_lr"] = "dynamic_lr"
    warmup_epochs: CountOrZero = 5
    decay_epochs: tuple[Count, ...] = (70, 90)
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


@dataclass(frozen=True, kw_only=True, config=_RULES)
class TrainConfig:
    epochs: Count = 100
    batch_per_device: Count = 8
    num_devices: Count = 4  # of the recipe: it fixes the global batch, whatever runs it
    devices: tuple[CountOrZero, ...] | None = None  # which to use; None is all there are
    cpu_devices: Count = 1  # logical ones, to try several where there is no GPU
    cluster: Literal["auto", "none", "tf_config", "slurm"] = "auto"  # who tells of other workers
    accumulate: Count = 1  # parts of a device's share, one after the other, in a step
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    deterministic: bool = False  # the same bits in every run, at a cost
    workdir: str = "runs/res50"
    checkpoint_steps: Count = 2000
    keep_checkpoints: Count = 2
    validate_epochs: CountOrZero = 0  # between measurements of AP; 0 makes none
    validate_images: Count = 400
    early_stop: Count | None = None  # measurements without a new best, after which it ends
    log_steps: Count = 20
    steps_per_call: Count = 1  # without coming back to Python
    xla: bool = False  # compiles the network, on one device
    max_bad_steps: Count = 10  # skipped in a row, as loss or gradient is not finite

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
    score_threshold: Fraction = 0.02
    nms_iou: Fraction = 0.4
    top_k: Count | None = 5000  # candidates per image that NMS looks at
    max_detections: Count | None = 750
    # Pixels that the network sees at once; larger images are detected in tiles.
    max_pixels: Annotated[int, Field(ge=4_000_000)] = 8_388_608
    # Sizes in pixels of the faces wanted, where all sizes are: they save passes. Smaller and larger
    # faces may still be found. None is as large as the image.
    min_face: Positive = 1
    max_face: Positive | None = None


@dataclass(frozen=True, kw_only=True, config=_RULES)
class EvalConfig:
    protocol: Literal["resized", "original", "vga", "ms_flip", "all_sizes"] = "resized"
    short_side: Count = 1600  # of protocol resized
    long_side: Count = 2176
    # Of protocol ms_flip, each also mirrored.
    short_sides: Annotated[tuple[Count, ...], Field(min_length=1)] = (500, 800, 1100, 1400, 1700)
    iou: Fraction = 0.5
    ground_truth: str | None = None  # folder of the .mat files; None: ground_truth below data.root
    weights: str | None = None  # the seed's val_model; None: newest checkpoint of train.workdir
    save_results: bool = True
    out: str | None = None  # None: `eval` in the workdir


@dataclass(frozen=True, kw_only=True, config=_RULES)
class ExportConfig:
    resized_side: Annotated[int, Field(ge=32, le=2000)] = 640  # of what `detect_resized` sees
    # Of an image that a served model takes; beyond, it is answered with an error.
    max_side: Count = MAX_SIDE
    max_pixels: Count = MAX_PIXELS
    parity_images: Count = 8  # on which an export has to answer as its source does


@dataclass(frozen=True, kw_only=True, config=_RULES)
class Config:
    """Holds all settings of a run, a section each.

    Example:
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
