"""No name in a message steers a terminal."""

import logging

import pytest

from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.printing import PrintableFormatter, printable, say


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\x1b[2J\x1b[31m.jpg", r"a\x1b[2J\x1b[31m.jpg"),
        ("\x9b2Ja", r"\x9b2Ja"),  # the same code in one byte
        ("a\rb\x07\x08", r"a\rb\x07\x08"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("a\udcff.jpg", r"a\udcff.jpg"),  # a name that is not UTF-8
        ("two\nlines\tof Jürgen 李 🙂", "two\nlines\tof Jürgen 李 🙂"),
    ],
)
def test_a_name_is_escaped_wherever_it_is_written(name, expected, capsys):
    assert printable(name) == printable(expected) == expected
    assert str(InputError(name)) == str(DoesNotHold(name)) == expected
    assert PrintableFormatter().format(logging.makeLogRecord({"msg": name})) == expected
    say(name)
    assert capsys.readouterr().out == f"{expected}\n"
