"""Convolution, batch norm, activation and head, with the settings of the originals."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

# Of images and features. Layers are told, as Keras' default is a setting of the user's.
DATA_FORMAT = "channels_last"
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5

Activation = Callable[[keras.KerasTensor, str], keras.KerasTensor]


def backbone_init() -> keras.initializers.Initializer:
    """Returns a Kaiming-normal initializer over the fan-out.

    Each layer needs an initializer of its own: it draws its seed when it is made, and gives the
    same values to all layers of one shape.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def depthwise_init() -> keras.initializers.Initializer:
    """Returns a Kaiming-normal initializer for depthwise kernels.

    Keras calls fan-in of such a kernel what PyTorch calls fan-out.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def neck_init() -> keras.initializers.Initializer:
    """Returns a uniform initializer within 1 / sqrt(fan-in), PyTorch's default."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(name=name)(x)


def relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(6.0, name=name)(x)


def leaky_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.LeakyReLU(0.1, name=name)(x)


def pad(x: keras.KerasTensor, pixels: int, name: str) -> keras.KerasTensor:
    """Pads with zeros on all four sides.

    Keras' "same" pads a strided convolution at the bottom and right only, which shifts every
    feature against the anchors and against published weights.
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
    """Normalises batches as Keras does, by TensorFlow's fused kernel forward and backward.

    Keras 3 makes it of a dozen operations that each read and write the whole map. Where the kernel
    cannot serve, in float64 and for statistics that span several replicas, the same arithmetic is
    written out; replicas then exchange their sums once forward and once backward, where Keras does
    five times. The name is Keras' too, since weights files are ordered by it.
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
            # The kernel gives the variance of a sample; Keras keeps that of the population.
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
            self._follow(mean, variance * (count - 1) / count)
        return tf.cast(outputs, self.compute_dtype)

    def _written_out(self, inputs: tf.Tensor, learns: bool) -> tf.Tensor:
        inputs = tf.cast(inputs, self.variable_dtype)  # sums of a whole map in bfloat16 are wrong
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
    # The mean of squares adds up over replicas as the variance does not. TensorFlow keeps a record
    # of every all-reduce of every call, so there is one for both.
    both = tf.stack([mean, variance + tf.square(mean)])
    mean, square = tf.unstack(context.all_reduce("MEAN", both))
    return mean, tf.maximum(square - tf.square(mean), 0.0)


def _is_slow_in_bfloat16(maps: tf.Tensor) -> bool:
    """Tells whether the fused kernel is slow, as CPUs' is in bfloat16 with few channels."""
    is_narrow = maps.dtype == tf.bfloat16 and maps.shape[-1] < 64
    return is_narrow and not tf.config.list_logical_devices("GPU")


def norm(x: keras.KerasTensor, name: str, act: Activation | None) -> keras.KerasTensor:
    """Builds batch norm, and an activation unless `act` is None.

    The statistics span all replicas where there is more than one, so that N devices train as one
    device with the whole batch would.
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
