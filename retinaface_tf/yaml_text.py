"""Reads YAML from untrusted sources: plain data of limited size.

A few hundred bytes can stand for billions of values, if lists of aliases are aliased again and
again. A reader that follows the aliases needs as much time and memory as if they were written out.
"""

from typing import Any

import yaml

MAX_LENGTH = 100_000  # characters; the longest packaged config has 5,000
MAX_NODES = 10_000  # values, keys and sections, aliases written out


class YamlSizeError(Exception):
    """Reports a text that is longer than `MAX_LENGTH` or means more than `MAX_NODES` values."""


def parse_yaml(text: str) -> Any:
    """Parses a YAML text into dictionaries, lists and plain values.

    Raises:
        yaml.YAMLError: the text is not YAML, or not plain data.
        YamlSizeError: the text is too large.
    """
    if len(text) > MAX_LENGTH:
        raise YamlSizeError(f"longer than {MAX_LENGTH:,} characters")
    try:
        return yaml.load(text, _CountingLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, YamlSizeError):
        raise
    except RecursionError:
        raise YamlSizeError("nested too deeply") from None
    # A date in a 13th month, a number of 5,000 digits, `!!bool perhaps`: each raises another error.
    except Exception as error:
        raise yaml.YAMLError(f"a value that cannot be read ({error})") from None


class _CountingLoader(yaml.SafeLoader):
    """Loads plain data, and counts its nodes before turning them into values."""

    def __init__(self, text: str):
        super().__init__(text)
        self._total = 0
        self._sizes: dict[yaml.Node, int] = {}  # of finished nodes, aliases written out

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        before, is_alias = self._total, self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if node is not None:
            # An alias of a node that contains the alias never ends.
            self._total += self._sizes.get(node, MAX_NODES) if is_alias else 1
            self._sizes.setdefault(node, self._total - before)
        if self._total > MAX_NODES:
            raise YamlSizeError(f"more than {MAX_NODES:,} values, aliases (*) written out")
        return node
