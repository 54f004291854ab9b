"""Messages of other libraries' errors, as parts of one line."""

import pytest

from retinaface_tf.errors import one_line

WRAPPED = (
    "{{function_node __wrapped__SaveV2_dtypes_173_device_/job:localhost/task:0/device:CPU:0}} "
)
IN_GRAPH = """Graph execution error:

Detected at node ReadFile defined at (most recent call last):
  File "/home/a/train.py", line 7, in <module>

  File "/home/a/train.py", line 6, in read
    tf.io.read_file(path)

  File "/home/a/train.py", line 5, in load

/data/a.jpg; No such file or directory
\t [[{{node ReadFile}}]]
\t [[IteratorGetNext]] [Op:__inference_f_21]"""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (WRAPPED + "runs/step-1; No space left on device [Op:SaveV2]", None),
        (WRAPPED + "runs/step-1; Read-only file system [Op:WriteFile] name: ", None),
        (IN_GRAPH, "/data/a.jpg; No such file or directory"),
        ("a\n  b\x1b[31m\tc", "a b [31m c"),
        ("", "OSError"),
    ],
)
def test_only_the_cause_stays(message, expected):
    if expected is None:
        expected = message.removeprefix(WRAPPED).partition(" [Op")[0]
    assert one_line(OSError(message)) == expected


def test_a_long_path_does_not_push_the_cause_out():
    line = one_line(
        OSError(WRAPPED + "runs/" + "x" * 900 + "; No space left on device [Op:SaveV2]")
    )
    assert line.startswith("runs/xxx")
    assert line.endswith("x; No space left on device")
    assert len(line) == 200
