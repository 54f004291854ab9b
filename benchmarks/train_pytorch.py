r"""Trains biubug6's PyTorch RetinaFace as it is, on the CPU, as a peer of a run of our own.

    python benchmarks/train_pytorch.py CHECKOUT --labels data/widerface/train/label.txt \
        --pretrained mobilenetV1X0.25_pretrain.tar --workdir runs/peer

Runs the checkout's own train.py for MobileNetV1 x0.25, unmodified: size, batch, epochs and decays
are set in its `cfg_mnet`, `.cuda()` is made to do nothing, and its random number generators are
seeded. Needs torch, torchvision, opencv and numpy, but not this package. The weights are written to
`WORKDIR/mobilenet0.25_Final.pth`, which `eval.py --weights` accepts.
"""

import argparse
import os
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import torch


def main() -> None:
    flags = _parse_flags()
    workdir, labels = flags.workdir.resolve(), flags.labels.resolve()
    # Where train.py looks for the backbone, below the working folder.
    backbone = workdir / "weights" / "mobilenetV1X0.25_pretrain.tar"
    backbone.parent.mkdir(parents=True, exist_ok=True)
    backbone.unlink(missing_ok=True)
    backbone.symlink_to(flags.pretrained.resolve())
    sys.path.insert(0, str(flags.checkout.resolve()))
    os.chdir(workdir)

    import data.config

    data.config.cfg_mnet.update(
        gpu_train=False,
        image_size=flags.image_size,
        batch_size=flags.batch,
        epoch=flags.epochs,
        decay1=flags.decay_epochs[0],
        decay2=flags.decay_epochs[1],
    )
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(flags.seed)
    sys.argv = [
        "train.py",
        "--network=mobile0.25",
        f"--training_dataset={labels}",
        f"--lr={flags.learning_rate}",
        f"--num_workers={flags.num_workers}",
        f"--save_folder={workdir}/",
    ]
    runpy.run_path(str(flags.checkout.resolve() / "train.py"), run_name="__main__")


def _parse_flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", type=lambda path: Path(path).resolve())
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--pretrained", type=Path, required=True)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--image_size", type=int, default=640)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--decay_epochs", type=int, nargs=2, default=(190, 220))
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--num_workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
