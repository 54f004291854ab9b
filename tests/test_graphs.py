"""Functions of which TensorFlow makes graphs."""

import ast
from pathlib import Path

import retinaface_tf


def test_no_function_is_left_to_autograph():
    """AutoGraph takes longer than tracing: 4 s of processor time at each start of a training."""
    calls = [
        (file, node)
        for file in Path(retinaface_tf.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "tf.function"
    ]
    assert len(calls) > 10
    for file, node in calls:
        line = file.read_text().splitlines()[node.lineno - 1 :][:4]
        assert "autograph=False" in "".join(line), f"{file}:{node.lineno}"
