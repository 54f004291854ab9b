"""Functions of which TensorFlow makes graphs."""

import ast
from pathlib import Path

import retinaface_tf


def test_no_function_is_left_to_autograph():
    """AutoGraph takes longer than tracing: 4 s of processor time at each start of a training."""
    named, off = set(), set()
    for file in Path(retinaface_tf.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "tf.function":
                named.add((file, node.lineno))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tf.function":
                settings = {word.arg: ast.unparse(word.value) for word in node.keywords}
                if settings.get("autograph") == "False":
                    off.add((file, node.lineno))
    assert len(named) > 10
    assert named == off
