"""Tables by which the code is extended: each has the choices of the config, and no others."""

from typing import get_args, get_type_hints

import pytest

from retinaface_tf.config import DataConfig, LossConfig, MatchConfig
from retinaface_tf.data.augment import RECIPES
from retinaface_tf.geometry.targets import MATCHERS
from retinaface_tf.model.losses import BOX_LOSSES, SCORE_LOSSES


@pytest.mark.parametrize(
    ("section", "setting", "table"),
    [
        (DataConfig, "augmentation", RECIPES),
        (MatchConfig, "method", MATCHERS),
        (LossConfig, "boxes", BOX_LOSSES),
        (LossConfig, "scores", SCORE_LOSSES),
    ],
)
def test_the_choices_of_the_config_are_those_of_the_table(section, setting, table):
    assert set(get_args(get_type_hints(section)[setting])) == set(table)
