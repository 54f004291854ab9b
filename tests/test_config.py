"""Config: what is read, what is overridden, and what a mistake is answered with."""

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from retinaface_tf.config import AnchorConfig, Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError

CONFIGS = sorted(Path(__file__).parents[1].joinpath("configs").glob("*.yaml"))


@pytest.fixture
def load(tmp_path):
    """Loads a config from its text and overrides."""

    def load_text(text="", *overrides):
        file = tmp_path / "run.yaml"
        file.write_text(text)
        return load_config(file, overrides)

    return load_text


@pytest.fixture
def complaint(load):
    """Returns the message that a config's text and overrides are refused with."""

    def refused(text="", *overrides):
        with pytest.raises(InputError) as error:
            load(text, *overrides)
        return str(error.value)

    return refused


def test_an_empty_file_means_the_defaults(load):
    assert load() == Config()


def test_a_section_without_keys_means_its_defaults(load):
    assert load("train:\n") == Config()


def test_keys_that_are_given_replace_the_defaults_and_the_rest_stays(load):
    config = load("train: {epochs: 3}")
    assert config.train.epochs == 3
    assert config.train.batch_per_device == Config().train.batch_per_device


def test_a_config_written_out_reads_the_same(load):
    config = load("schedule: {decay_epochs: [7, 9]}\noptimizer: {ema: 0.99}")
    assert load(yaml.safe_dump(config.as_dict())) == config


def test_a_config_does_not_change(load):
    with pytest.raises(FrozenInstanceError):
        load().train.epochs = 3


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_config_of_the_repository_loads(file):
    load_config(file)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epochs=3", 3),
        ("optimizer.learning_rate=1e-3", 0.001),  # a string to YAML 1.1
        ("optimizer.learning_rate=2", 2.0),
        ("schedule.decay_epochs=[7, 9]", (7, 9)),
        ("detector.top_k=null", None),
        ("eval.save_results=false", False),
        ("train.workdir=runs/a=b", "runs/a=b"),
        ("model.init='12'", "12"),
        ("train.devices=[0]", (0,)),
    ],
)
def test_overrides_are_yaml(load, override, expected):
    section, key = override.split("=")[0].split(".")
    assert getattr(getattr(load("", override), section), key) == expected


def test_overrides_win_over_the_file_and_the_last_over_the_first(load):
    config = load("train: {epochs: 3, seed: 5}", "train.epochs=4", "train.epochs=6")
    assert (config.train.epochs, config.train.seed) == (6, 5)


@pytest.mark.parametrize("override", ["train.epochs", "epochs=3", "train.epochs.now=3", "=3", ""])
def test_an_override_of_another_form_is_answered_with_an_example(complaint, override):
    assert complaint("", override) == (
        f"--set {override}: expected section.key=value, as in train.epochs=3"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: {epoch: 3}", "train.epoch: unknown key, did you mean epochs?"),
        ("modle: {backbone: resnet50}", "modle: unknown key, did you mean model?"),
        (
            "train: {learning_rate: 0.1}",
            "train.learning_rate: unknown key, did you mean optimizer.learning_rate?",
        ),
        ("loss: {zzz: 1}", "loss.zzz: unknown key; known keys are box_weight, score_weight"),
        ("3: 4", "3: keys should be strings"),
    ],
)
def test_an_unknown_key_is_named_with_what_may_have_been_meant(complaint, text, expected):
    assert expected in complaint(text)


def test_an_unknown_key_of_an_override_is_named_too(complaint):
    message = complaint("", "train.epoch=3")
    assert "train.epoch: unknown key, did you mean epochs?" in message


@pytest.mark.parametrize(
    ("override", "range_"),
    [
        ("train.epochs=0", "greater than or equal to 1"),
        ("train.epochs=2.5", "valid integer"),
        ("train.epochs=many", "valid integer"),
        ("data.image_size=31", "greater than or equal to 32"),
        ("match.iou=1.5", "less than or equal to 1"),
        ("match.min_best_iou=-0.1", "greater than or equal to 0"),
        ("detector.nms_iou=.nan", "less than or equal to 1"),
        ("loss.box_weight=-1", "greater than or equal to 0"),
        ("optimizer.learning_rate=0", "greater than 0"),
        ("optimizer.learning_rate=.inf", "finite number"),
        ("optimizer.momentum=1", "less than 1"),
        ("optimizer.ema=1", "less than 1"),
        ("detector.top_k=0", "greater than or equal to 1"),
        ("model.backbone=resnet51", "'mobilenet025' or 'mobilenetv2'"),
        ("train.workdir=null", "valid string"),
        ("schedule.decay_epochs=7", "valid tuple"),
    ],
)
def test_a_value_out_of_range_is_answered_with_the_range_and_the_value(complaint, override, range_):
    key, value = override.split("=")
    message = complaint("", override)
    assert f"{key}: input should be" in message
    assert range_ in message
    assert message.endswith(f", found {yaml.safe_load(value)!r}")


def test_an_element_of_a_list_is_named_by_its_place(complaint):
    assert "schedule.decay_epochs.1: " in complaint("schedule: {decay_epochs: [7, soon]}")


def test_levels_of_anchors_need_a_stride_each(complaint):
    message = complaint("anchors: {sizes: [[16], [64]]}")
    assert "anchors: 2 levels of sizes for 3 strides" in message


def test_the_strides_that_earlier_versions_wrote_are_dropped(tmp_path):
    (tmp_path / "config.yaml").write_text("anchors: {strides: [8, 16, 32], clip: true}")
    assert load_config(tmp_path / "config.yaml").anchors == AnchorConfig(clip=True)


def test_other_strides_are_an_unknown_key(complaint):
    assert "anchors.strides: unknown key" in complaint("anchors: {strides: [4, 8, 16]}")


def test_all_mistakes_are_reported_at_once_each_where_it_was_made(complaint, tmp_path):
    file = tmp_path / "run.yaml"
    message = complaint(
        "train: {epochs: 0, sead: 3}\nmodle: {}", "match.iou=2", "foo=1", "loss.a=1"
    )
    first, *rest = message.splitlines()
    assert first.startswith("6 ")
    places = {
        f"{file}: train.epochs: ",
        f"{file}: train.sead: ",
        f"{file}: modle: ",
        "--set match.iou=2: match.iou: ",
        "--set foo=1: ",
        "--set loss.a=1: loss.a: ",
    }
    assert {place for place in places for line in rest if line.strip().startswith(place)} == places


def test_the_last_override_of_a_key_is_the_one_that_is_wrong(complaint):
    assert complaint("train: {epochs: 0}", "train.epochs=1", "train.epochs=-1").startswith(
        "--set train.epochs=-1: train.epochs: "
    )


def test_what_a_file_and_an_override_make_wrong_together_names_both(complaint, tmp_path):
    message = complaint("train: {validate_epochs: 0}", "train.early_stop=3", "loss.box_weight=1")
    assert message.startswith(f"{tmp_path / 'run.yaml'} with --set train.early_stop=3: train: ")


def test_one_mistake_takes_one_line_that_names_the_file(complaint, tmp_path):
    message = complaint("train: {epochs: 0}")
    assert message.startswith(f"{tmp_path / 'run.yaml'}: train.epochs: ")
    assert "\n" not in message


def test_a_section_that_is_no_section_is_refused(complaint):
    assert "train: input should be" in complaint("train: 3")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: cannot read .*No such file"):
        load_config(tmp_path / "none.yaml")


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(InputError, match="cannot read this config"):
        load_config(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_config(tmp_path / "run.yaml")


@pytest.mark.parametrize("text", ["train: {epochs: 3", "train:\n\tepochs: 3", "a: b: c"])
def test_broken_yaml_is_answered_in_one_line_with_its_place(complaint, text):
    message = complaint(text)
    assert "run.yaml: not YAML: " in message
    assert "line " in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["- train", "train", "3"])
def test_yaml_without_sections_is_refused(complaint, text):
    assert "expected sections such as `train:`" in complaint(text)


def chained(first, of_one):
    """Returns a text of 30 anchors, each made of several aliases of the one before."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} {of_one.format(f'*a{i - 1}')}" for i in range(1, 30)]
    return "\n".join(lines)


BOMBS = {
    "aliases of lists": chained("[x, x]", "[{0}, {0}, {0}]"),
    "aliases as values": chained("{a: 1, b: 1}", "{{a: {0}, b: {0}}}"),
    "merges": chained("{a: 1, b: 1}", "{{<<: [{0}, {0}, {0}]}}"),
    "a list in itself": "a: &a [*a]",
    "a merge of itself": "a: &a {<<: *a}",
    "a deep nesting": "[" * 3000,
    "a long list": "train: [" + "1," * 20_000 + "1]",
    "a long text": "# " + "x" * 200_000,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_small_file_that_means_too_much_is_refused(complaint, tmp_path, kind):
    message = complaint(BOMBS[kind])
    assert message.startswith(f"{tmp_path / 'run.yaml'}: too large")
    assert len(message) < 300


@pytest.mark.parametrize(
    "value",
    [
        "[&a0 [x], " + ", ".join(f"&a{i} [{f'*a{i - 1}, ' * 8}]" for i in range(1, 20)) + "]",
        "{a0: &a0 {x: 1}, "
        + ", ".join(f"a{i}: &a{i} {{<<: [{f'*a{i - 1}, ' * 8}]}}" for i in range(1, 20))
        + "}",
        "&a [*a]",
    ],
    ids=["aliases", "merges", "in itself"],
)
def test_an_override_that_means_too_much_is_refused(complaint, value):
    message = complaint("", f"train.devices={value}")
    assert message.startswith("--set train.devices=")
    assert "too large" in message
    assert len(message) < 300


def test_anchors_and_merges_of_a_usual_size_are_read(load):
    text = "train: &base {epochs: 3, seed: 4}\nloss: {<<: &loss {box_weight: 3}, score_weight: 2}"
    config = load(text)
    assert (config.train.seed, config.loss.box_weight, config.loss.score_weight) == (4, 3, 2)


@pytest.mark.parametrize(
    "value", ["2024-13-45", "9" * 5000, "!!bool perhaps", "!!int ''", "!!timestamp soon"]
)
def test_values_that_yaml_cannot_read_are_answered_in_one_line(complaint, value):
    message = complaint(f"train: {{epochs: {value}}}")
    assert "run.yaml: not YAML: " in message
    assert "\n" not in message


def test_a_number_too_long_to_print_is_still_refused(complaint):
    assert "train.seed: input should be" in complaint(f"train: {{seed: 0x{'f' * 9000}}}")


def test_yaml_cannot_run_code(complaint):
    assert "not YAML" in complaint("train: !!python/object/apply:os.getcwd []")


def test_configs_are_read_without_tensorflow(tmp_path):
    (tmp_path / "run.yaml").write_text("train: {epochs: 3}")
    code = (
        "import sys; from retinaface_tf import load_config; load_config(sys.argv[1]);"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "run.yaml"], check=True, timeout=60)


def test_the_global_batch_is_that_of_all_devices_of_the_recipe(load):
    train = load("train: {batch_per_device: 6, num_devices: 4}").train
    assert train.global_batch == 24


def test_paths_of_data_are_below_its_root_unless_absolute(load):
    config = load("data: {root: faces}")
    assert config.below_root("val/label.txt") == Path("faces/val/label.txt")
    assert config.below_root("/other/label.txt") == Path("/other/label.txt")


def test_the_old_key_of_the_ground_truth_is_accepted_at_its_default_alone(load):
    assert load("data: {ground_truth: ground_truth}") == load("")
    with pytest.raises(InputError, match=r"data\.ground_truth: .* eval\.ground_truth"):
        load("data: {ground_truth: elsewhere}")


def test_the_ground_truth_is_below_the_root_unless_a_folder_is_named(load):
    assert load("data: {root: faces}").ground_truth_folder == Path("faces/ground_truth")
    config = load("data: {root: faces}", "eval.ground_truth=elsewhere")
    assert config.ground_truth_folder == Path("elsewhere")


@pytest.mark.parametrize(
    ("size", "count"), [((840, 840), 29_126), ((640, 640), 16_800), ((1600, 2150), 141_400)]
)
def test_anchors_of_known_sizes_are_counted(size, count):
    assert AnchorConfig().count(*size) == count


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_an_image_on_its_side_has_as_many_anchors(height, width):
    anchors = AnchorConfig()
    assert anchors.count(height, width) == anchors.count(width, height)


def test_every_section_and_setting_has_its_line_of_documentation():
    schema = TypeAdapter(Config).json_schema()
    sections = {name: part for name, part in schema["$defs"].items() if name != "Config"}
    assert len(sections) == len(schema["properties"])
    for name, section in sections.items():
        assert re.match(r"[A-Z].*\.$", section["description"]), name
        for key, setting in section["properties"].items():
            assert re.match(r"(?s)[A-Z].*\.\s*$", setting["description"]), f"{name}.{key}"
