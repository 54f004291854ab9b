"""Fills the reference pages: settings from the schema, commands from their `--help`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import TypeAdapter

from retinaface_tf.cli import COMMANDS
from retinaface_tf.config import Config

Schema = Mapping[str, Any]  # as JSON Schema has it

BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
TYPES = {
    "boolean": "`true` or `false`",
    "integer": "a whole number",
    "null": "`null`",
    "number": "a number",
    "string": "text",
}
PLURALS = {"integer": "whole numbers", "number": "numbers"}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Fills the place that a reference page leaves for what is generated."""
    match page.file.src_uri:
        case "reference/config.md":
            return markdown.replace("<!-- settings -->", settings())
        case "reference/commands.md":
            return markdown.replace("<!-- commands -->", commands())
    return markdown


def settings() -> str:
    """Describes all settings: a heading for each section and each setting."""
    schema = TypeAdapter(Config).json_schema()
    parts = []
    for name, reference in schema["properties"].items():
        section = schema["$defs"][reference["$ref"].rsplit("/", 1)[1]]
        parts.append(f"## {name} {{ #{name} }}\n\n{section['description']}")
        for key, setting in section["properties"].items():
            parts.append(_describe(f"{name}.{key}", setting))
    return "\n\n".join(parts)


def _describe(key: str, setting: Schema) -> str:
    text = " ".join(setting["description"].split())
    default = json.dumps(setting["default"])
    facts = f"Default `{default}`; takes {values(setting)}."
    return f"### `{key}` {{ #{key} }}\n\n{text}\n\n{facts}"


def values(setting: Schema, types: Mapping[str, str] = TYPES) -> str:
    """Returns in words which values a setting takes.

    Args:
        setting: its part of the schema.
        types: names of the plain types, of one value or of many.
    """
    if choices := setting.get("enum"):
        return _either([f"`{choice}`" for choice in choices])
    if options := setting.get("anyOf"):
        return ", or ".join(values(option) for option in options)
    if setting["type"] == "array":
        items = setting.get("items") or setting["prefixItems"][0]
        count = f"{setting['maxItems']} " if "maxItems" in setting else ""
        a_list = "a list of" if types is not PLURALS else "lists of"
        return f"{a_list} {count}{values(items, PLURALS)}"
    bounds = [text.format(f"{setting[key]:,}") for key, text in BOUNDS.items() if key in setting]
    name = types[setting["type"]]
    return f"{name} ({' and '.join(bounds)})" if bounds else name


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def commands() -> str:
    """Shows what `--help` prints, a heading for each command."""
    with ThreadPoolExecutor(2) as threads:
        texts = threads.map(_help, COMMANDS)
    return "\n\n".join(
        f"## retinaface {name}\n\n```text\n{text}```"
        for name, text in zip(COMMANDS, texts, strict=True)
    )


def _help(command: str) -> str:
    arguments = [sys.executable, "-m", "retinaface_tf", command, "--help"]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
