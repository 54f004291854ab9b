"""Builds convolutions, batch norms, activations and heads with the settings of the originals."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from retinaface_tf.structures import MEAN_RGB

# Layout of images and features. It is passed to each layer, since users can change Keras' default.
DATA_FORMAT = "channels_last"
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5

Activation = Callable[[keras.KerasTensor, str], keras.KerasTensor]


def backbone_init() -> keras.initializers.Initializer:
    """Returns a Kaiming-normal initializer over the fan-out.

    Each layer needs its own initializer: an initializer draws its seed when it is made, and gives
    the same values to all layers of one shape.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def depthwise_init() -> keras.initializers.Initializer:
    """Returns a Kaiming-normal initializer for depthwise kernels.

    For such a kernel, Keras calls fan-in what PyTorch calls fan-out.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def neck_init() -> keras.initializers.Initializer:
    """Returns a uniform initializer within 1 / sqrt(fan-in), PyTorch's default."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


class SubtractMean(keras.layers.Layer):
    """Subtracts the mean colour MEAN_RGB from RGB pixels [B, H, W, 3].

    It does so row by row: TensorFlow adds a vector of three values at a third of that speed.
    """

    def call(self, images: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(images)
        mean = tf.tile(tf.constant(MEAN_RGB, images.dtype), shape[2:3])
        rows = tf.reshape(images, [-1, shape[2] * len(MEAN_RGB)])
        return tf.ensure_shape(tf.reshape(rows - mean, shape), images.shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


def relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(name=name)(x)


def relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(6.0, name=name)(x)


def leaky_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.LeakyReLU(0.1, name=name)(x)


def pad(x: keras.KerasTensor, pixels: int, name: str) -> keras.KerasTensor:
    """Pads with zeros on all four sides.

    Keras' "same" pads a strided convolution only at the bottom and right, which shifts all
    features relative to the anchors and to published weights.
    """
    if not pixels:
        return x
    return keras.layers.ZeroPadding2D(pixels, data_format=DATA_FORMAT, name=f"{name}_pad")(x)


def conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: int,
    *,
    name: str,
    stride: int = 1,
    act: Activation | None = relu,
    initializer: Callable[[], keras.initializers.Initializer] = neck_init,
) -> keras.KerasTensor:
    """Builds a convolution without bias, batch norm, and an activation unless `act` is None."""
    if stride > 1:
        x = pad(x, kernel // 2, name)
    x = keras.layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="valid" if stride > 1 else "same",
        data_format=DATA_FORMAT,
        use_bias=False,
        kernel_initializer=initializer(),
        name=f"{name}_conv",
    )(x)
    return norm(x, name, act)


def depthwise_conv(
    x: keras.KerasTensor, *, name: str, stride: int, act: Activation
) -> keras.KerasTensor:
    """Builds a 3x3 depthwise convolution without bias, batch norm and activation."""
    if stride > 1:
        x = pad(x, 1, name)
    x = keras.layers.DepthwiseConv2D(
        3,
        stride,
        padding="valid" if stride > 1 else "same",
        data_format=DATA_FORMAT,
        use_bias=False,
        depthwise_initializer=depthwise_init(),
        name=f"{name}_conv",
    )(x)
    return norm(x, name, act)


class BatchNormalization(keras.layers.BatchNormalization):
    """Normalises batches as Keras does, but with TensorFlow's fused kernel, forward and backward.

    Keras 3 composes batch norm from a dozen operations that each read and write the whole map.
    Where the kernel cannot be used, in float64 and for statistics over several replicas, the same
    arithmetic is written out; replicas then exchange their sums once forward and once backward,
    where Keras exchanges them five times. The class is named as in Keras, since weights files are
    ordered by class name.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        learns = bool(training) and self.trainable
        if self.compute_dtype == "float64" or (learns and self.synchronized):
            return self._written_out(inputs, learns)
        if _is_slow_in_bfloat16(inputs):
            inputs = tf.cast(inputs, tf.float32)
        nothing = tf.zeros([0])
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=nothing if learns else self.moving_mean,
            variance=nothing if learns else self.moving_variance,
            epsilon=self.epsilon,
            is_training=learns,
        )
        if learns:
            # The kernel returns the sample variance; Keras keeps the population variance.
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
            self._follow(mean, variance * (count - 1) / count)
        return tf.cast(outputs, self.compute_dtype)

    def _written_out(self, inputs: tf.Tensor, learns: bool) -> tf.Tensor:
        inputs = tf.cast(inputs, self.variable_dtype)  # bfloat16 is too coarse for sums over a map
        mean, variance = self.moving_mean, self.moving_variance
        if learns:
            mean, variance = _moments(inputs, of_all_replicas=self.synchronized)
            self._follow(mean, variance)
        outputs = tf.nn.batch_normalization(
            inputs, mean, variance, self.beta, self.gamma, self.epsilon
        )
        return tf.cast(outputs, self.compute_dtype)

    def _follow(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1 - self.momentum))


def _moments(maps: tf.Tensor, *, of_all_replicas: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean and variance of each channel; replicas have maps of the same size."""
    mean, variance = tf.nn.moments(maps, [0, 1, 2])
    context = tf.distribute.get_replica_context()
    if not of_all_replicas or context is None:
        return mean, variance
    # Unlike the variance, the mean of squares adds up over replicas. TensorFlow keeps a record of
    # every all-reduce of every call, so one all-reduce serves both.
    both = tf.stack([mean, variance + tf.square(mean)])
    mean, square = tf.unstack(context.all_reduce("MEAN", both))
    return mean, tf.maximum(square - tf.square(mean), 0.0)


def _is_slow_in_bfloat16(maps: tf.Tensor) -> bool:
    """Tells whether the fused kernel is slow, as it is on CPUs in bfloat16 with few channels."""
    is_narrow = maps.dtype == tf.bfloat16 and maps.shape[-1] < 64
    return is_narrow and not tf.config.list_logical_devices("GPU")


def norm(x: keras.KerasTensor, name: str, act: Activation | None) -> keras.KerasTensor:
    """Builds batch norm, and an activation unless `act` is None.

    With several replicas the statistics span them all, so that N devices train as one device with
    the whole batch would.
    """
    x = BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        synchronized=tf.distribute.get_strategy().num_replicas_in_sync > 1,
        name=f"{name}_norm",
    )(x)
    return x if act is None else act(x, f"{name}_act")


def head(
    x: keras.KerasTensor, shape: tuple[int, ...], anchors: int, name: str
) -> keras.KerasTensor:
    """Builds a 1x1 convolution with bias, [B, H * W * anchors, *shape]."""
    bound = 1 / math.sqrt(x.shape[-1])
    x = keras.layers.Conv2D(
        anchors * math.prod(shape),
        1,
        data_format=DATA_FORMAT,
        kernel_initializer=neck_init(),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=f"{name}_conv",
    )(x)
    return keras.layers.Reshape((-1, *shape), name=f"{name}_rows")(x)
