"""Parses the flags of a command, and prints its help without absl's own flags."""

import difflib
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

from absl import flags

from retinaface_tf import __version__
from retinaface_tf.errors import InputError, one_line

VERSION = f"retinaface_tf {__version__}"
SHARED_FLAGS = "retinaface_tf.config_flags"  # the module whose flags many commands have
WIDTH, INDENT = 100, " " * 6


def parse_flags(argv: Sequence[str], module: ModuleType, example: str) -> list[str]:
    """Parses the command line of a command; `--help` and `--version` print and exit with 0.

    Args:
        argv: the program, then its arguments.
        module: the command's; it defines the flags, and its docstring is the help.
        example: a command line for the help.

    Returns:
        The program and the positional arguments.

    Raises:
        InputError: a flag is unknown, or does not accept its value.
    """
    asked = set(argv[1 : argv.index("--") if "--" in argv else None])
    if asked & {"--help", "-help", "-h", "--helpfull", "--helpshort"}:
        print(_help(module, example))
        sys.exit(0)
    if "--version" in asked:
        print(VERSION)
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = [flag.name for _, group in _groups(module) for flag in group]
        raise InputError(
            f"--{error.flagname}: unknown flag{did_you_mean(error.flagname, known, '--')}; --help "
            f"lists the flags"
        ) from None
    except flags.Error as error:
        raise InputError(one_line(error)) from None


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns `, did you mean NAME?` if a known name is close, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {prefix}{close[0]}?" if close else ""


def _help(module: ModuleType, example: str) -> str:
    lines = [(module.__doc__ or "").strip()]
    if example:
        lines += ["", "Example:", f"  {example}"]
    for title, group in _groups(module):
        lines += ["", f"{title}:"]
        lines += [line for flag in group for line in _describe(flag)]
    return "\n".join(lines)


def _groups(module: ModuleType) -> Iterator[tuple[str, list[flags.Flag[object]]]]:
    """Yields the flags that the module defines, and those that it shares with other commands."""
    by_module = flags.FLAGS.flags_by_module_id_dict()
    shared = sys.modules.get(SHARED_FLAGS)
    titles = {"Flags": module} | ({"Config": shared} if shared else {})
    for title, owner in titles.items():
        if group := by_module.get(id(owner)):
            yield title, group


def _describe(flag: flags.Flag[object]) -> list[str]:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        name += f" {'|'.join(choices)}"
    # absl puts choices before a flag's text, and a note after the text of one that may be repeated.
    text = re.sub(r"^<.*?>: |;\s*repeat this option.*", "", flag.help or "", flags=re.DOTALL)
    if flag.default not in (None, []):
        text += f" Default: {flag.default_as_str}."
    indent = " " * 6
    return [
        f"  {name}",
        *textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent),
    ]
