"""Finds the blocks of code in README and docs/, and says what a test does with each of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
RUN, LANGUAGES = ("sh", "python"), ("sh", "python", "diff", "json", "text", "bibtex")

FENCE = re.compile(r'^( *)```([^\s`]*)(?: title="(.*?)")?\n(.*?)^\1```$', re.DOTALL | re.MULTILINE)

# What no test can run, and why.
NOT_RUN = {
    r"^pip |^make |^\.venv/": "builds an environment, as .ci/run does",
    r"^docker |localhost": "needs a server; tests/serving asks one that stands in for it",
    r"^TF_CONFIG|^srun|^sudo": "needs other machines, Slurm or root",
    r"^ray |--engine": "needs a cluster; tests/batch has one of this machine",
    r"spark\.read|apache_beam": "needs Spark or Beam, which are not in the lock",
    r"train\.devices=": "needs GPUs",
    r"camera\.local": "needs a camera on the network",
    r"^retinaface demo": "serves a page until it is stopped; tests/demo asks one",
    r"(import|from) trackers": "needs a package that is not in the lock",
    r"^retinaface launch|cpu_devices": "starts several devices, as tests/training does",
    r"timm/": "needs the Hugging Face hub",
    r"benchmarks/|/peer1/|held_out": "needs WIDER FACE and the code of a peer",
    r"_pretrain\.tar|runs/(ours1|shipped)": "needs biubug6's ImageNet weights, and hours",
}
# What makes a run short; the commands themselves stay as they are.
SMALL = {
    "model.backbone": "mobilenet025",
    "data.image_size": 64,
    "train.epochs": 1,
    "train.batch_per_device": 4,
    "train.num_devices": 1,
    "train.validate_images": 2,
    "schedule.warmup_epochs": 0,
    "schedule.decay_epochs": "[]",
    "eval.short_side": 320,
    "eval.long_side": 480,
    "export.parity_images": 1,
}
# Published weights, and those of the package: they do not fit a tiny network.
WHOLE_NETWORK = re.compile(
    r"mobilenet0\.25_Final|finetune|runs/tuned|load_detector\(\)"
    r"|^retinaface detect (?!.*--(weights|cfg|workdir|saved_model))"
)
RUNS_SMALL = re.compile(r"(python |retinaface )(train|eval|export|doctor env)\b")


@dataclass(frozen=True)
class Block:
    """Holds a block of code.

    Attributes:
        page: the file that it is in.
        line: of its first line there, from 1.
        language: behind the fence.
        title: the file that the block belongs into, if any.
        text: of the block.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[str]:
        """Returns the commands of a shell block, one line each, without comments and columns."""
        lines = re.sub(r"\\\n", "", self.text).splitlines()
        commands = [re.sub(r"(^|\s\s+)#.*", "", line) for line in lines]
        return [re.sub(r"\s+", " ", command.strip()) for command in commands if command.strip()]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        indent, language, title, code = match.groups()
        line = text.count("\n", 0, match.start(4)) + 1
        yield Block(page, line, language, title or "", re.sub(f"(?m)^{indent}", "", code))


def why_not_run(code: str) -> str | None:
    return next((reason for pattern, reason in NOT_RUN.items() if re.search(pattern, code)), None)


def at_small_size(command: str) -> str:
    """Returns a command that trains and measures next to nothing where it would for long."""
    if not RUNS_SMALL.match(command):
        return command
    settings = " ".join(f"--set '{key}={value}'" for key, value in SMALL.items())
    seconds = "--seconds 0.1" if "doctor env" in command else ""
    return f"{command.replace('precision=0.99', 'precision=1e-5')} {settings} {seconds}"
