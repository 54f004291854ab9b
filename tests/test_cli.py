"""The command `retinaface`: its help, its errors, and what it does not wait for."""

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from retinaface_tf import __version__, cli
from retinaface_tf.errors import DoesNotHold, InputError, LostWorkerError, RetinaFaceError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def retinaface(monkeypatch, capsys):
    """Calls `retinaface` in this process; returns its exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["retinaface", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return call


def test_help_lists_every_command_and_version_says_which(retinaface):
    for asked in ("--help", "-h"):
        code, out, _ = retinaface(asked)
        assert code == 0
        assert all(f"\n  {name} " in out for name in cli.COMMANDS)
    assert retinaface("--version")[:2] == (0, f"retinaface_tf {__version__}\n")


@pytest.mark.parametrize(("given", "meant"), [("trian", "train"), ("detects", "detect")])
def test_an_unknown_command_is_answered_with_the_one_that_was_meant(retinaface, given, meant):
    code, out, err = retinaface(given)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {given}: ")
    assert f"did you mean {meant}?" in err
    assert err.count("\n") == 1


def test_no_command_is_an_error_of_one_line(retinaface):
    code, _, err = retinaface()
    assert code == 1
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_a_module_and_its_example_begins_with_it(name):
    assert find_spec(cli.COMMANDS[name].module)
    assert cli.COMMANDS[name].example.split()[:2] == ["retinaface", name]


def test_the_wheel_installs_the_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"retinaface": "retinaface_tf.cli:main"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a.jpg: broken"), 1),
        (RetinaFaceError("a.jpg: broken"), 1),
        (DoesNotHold("a.jpg: broken"), 2),
        (LostWorkerError("a.jpg: broken"), 75),
        (PermissionError(13, "broken", "a.jpg"), 1),
    ],
)
def test_errors_are_one_line_and_an_exit_code(error, code, capsys):
    def main(arguments):
        raise error

    assert cli.call(main, []) == code
    assert capsys.readouterr().err == "error: a.jpg: broken\n"


def test_an_interrupt_is_one_line_and_the_exit_code_of_a_shell(capsys):
    def main(arguments):
        raise KeyboardInterrupt

    assert cli.call(main, []) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command", [["-m", "retinaface_tf", "detect"], ["-m", "retinaface_tf.detect"], ["train.py"]]
)
def test_help_of_a_command_shows_its_flags_shared_ones_and_an_example(command):
    done = run(*command, "--help")
    assert done.returncode == 0, done.stderr
    name = "train" if command == ["train.py"] else "detect"
    own = "--[no]resume" if name == "train" else "--weights"
    for shown in (own, "--cfg", "--set", "--workdir", cli.COMMANDS[name].example):
        assert f"  {shown}\n" in done.stdout
    assert "--logtostderr" not in done.stdout
    assert "repeat this option" not in done.stdout


def test_an_unknown_flag_and_a_wrong_value_are_errors_of_one_line():
    for given, said in {"--scroe=1": "did you mean --score?", "--score=2": "score"}.items():
        done = run("-m", "retinaface_tf", "detect", "a.jpg", given)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_help_waits_for_no_library():
    code = (
        "import sys; sys.argv = ['retinaface', '--help'];"
        "from retinaface_tf.cli import main; main();"
        "heavy = {'tensorflow', 'keras', 'numpy', 'cv2', 'pydantic', 'yaml'};"
        "sys.exit(', '.join(heavy & sys.modules.keys()) or 0)"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
