r"""The training step, from a batch in memory to new weights, against its limit and the peers.

    python benchmarks/train_step.py --cfg configs/mobilenet025.yaml --set data.root=... --batch 8 \
        --biubug6 CHECKOUT

Batches are of the training set, drawn with the config's augmentation. The limit is the bare
network: forward, a sum, backward, and Keras' own SGD. Peers are checkouts that the user names (see
peers.py), each on its own network of the same backbone; peteryuX's has ResNet-50 only.
"""

import os

from absl import flags

from retinaface_tf import cli

_BATCH = flags.DEFINE_integer("batch", 8, "Images a step.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3, "Steps a turn.", lower_bound=1)
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
_PETERYUX = flags.DEFINE_string("peteryux", None, "A checkout of peteryuX/retinaface-tf2.")

os.environ["TF_USE_LEGACY_KERAS"] = "1"


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = cli.read_config()
    if _BIUBUG6.value:
        import torch
    cli.start_tensorflow()
    import keras
    import numpy as np
    import peers
    import tensorflow as tf
    import turns

    from retinaface_tf.data.dataset import training_set
    from retinaface_tf.data.pipeline import training_batches
    from retinaface_tf.model.network import build_network
    from retinaface_tf.training.optimizer import make_optimizer
    from retinaface_tf.training.step import TrainStep

    records = training_set(config)
    batch = next(iter(training_batches(records, config.data, batch=_BATCH.value, seed=1)))
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        net = build_network(config)
        opt = make_optimizer(config.optimizer, np.array([1e-3]))
        opt.build(net.trainable_variables)
    spec = tf.nest.map_structure(
        lambda t: tf.TensorSpec(
            [t.shape[0], None, *t.shape[2:]]
            if t.shape.rank > 1 and t.shape[1] != config.data.image_size
            else t.shape,
            t.dtype,
        ),
        batch,
    )
    step = TrainStep(net, opt, config, strategy, spec)
    c = {"ours": lambda: lambda: float(step(batch)["loss"])}
    bare = build_network(config)
    bo = keras.optimizers.SGD(1e-3, momentum=0.9)
    bo.build(bare.trainable_variables)

    @tf.function
    def bstep(im):
        with tf.GradientTape() as t:
            l = tf.add_n([tf.reduce_mean(x) for x in bare(im, training=True).values()])
        bo.apply(
            t.gradient(l, [v.value for v in bare.trainable_variables]), bare.trainable_variables
        )
        return l

    c["bare network"] = lambda: lambda: float(bstep(batch.images))
    if _BIUBUG6.value:
        prec = config.model.precision
        st = peers.biubug6_step(_BIUBUG6.value, config, prec)
        im = torch.from_numpy(
            np.ascontiguousarray(batch.images.numpy()[..., ::-1].transpose(0, 3, 1, 2)).astype(
                np.float32
            )
            - np.array([104, 117, 123], np.float32)[:, None, None]
        )
        f = batch.faces
        rows = [
            torch.from_numpy(
                np.concatenate(
                    [
                        f.boxes[i].numpy(),
                        f.landmarks[i].numpy().reshape(-1, 10),
                        np.where(f.has_landmarks[i].numpy(), 1.0, -1.0)[:, None],
                    ],
                    1,
                )[f.valid[i].numpy()].astype(np.float32)
            )
            for i in range(_BATCH.value)
        ]
        c["biubug6's"] = lambda: lambda: st(im, rows)
    if _PETERYUX.value:
        ps, pn = peers.peteryux_step(_PETERYUX.value, config, _BATCH.value)
        pb = next(iter([peers.peteryux_batches(_PETERYUX.value, config, _BATCH.value)()]))
        c["peteryuX's"] = lambda: lambda: float(ps(*pb))
    for s in c.values():
        s()()
        s()()
    turns.report(
        turns.take_turns(c, rounds=_ROUNDS.value, pieces=_STEPS.value), images=_BATCH.value
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
