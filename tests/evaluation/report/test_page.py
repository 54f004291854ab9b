"""The page of a report, as a browser shows it to a user."""

import re
from dataclasses import replace

import numpy as np
import pytest

from retinaface_tf.config import Config, DataConfig
from retinaface_tf.evaluation.data import load_evaluation_data
from retinaface_tf.evaluation.report.page import write_report
from retinaface_tf.evaluation.scoring import score

AWAY = [0.0, 0.0, 5.0, 5.0]


@pytest.fixture(scope="module")
def data(drawn):
    return load_evaluation_data(Config(data=DataConfig(root=str(drawn))))


@pytest.fixture(scope="module")
def truth(data):
    return data.truth


@pytest.fixture(scope="module")
def report(drawn, data, tmp_path_factory):
    """Reports on predictions of the drawn faces: the page, and the evaluation."""

    def of(predictions, files=data.files):
        config = Config(data=DataConfig(root=str(drawn)))
        rows = {key: np.array(each, float) for key, each in predictions.items()}
        evaluation = score(rows, data.truth, config, source="weights", protocol="original")
        folder = tmp_path_factory.mktemp("report")
        return write_report(folder, evaluation, rows, replace(data, files=files)), evaluation

    return of


@pytest.fixture(scope="module")
def flawed(report, truth):
    """Makes predictions that miss the first face of every image; one is false, one a duplicate."""
    predictions = {
        key: [[*np.trunc(face), 0.8] for face in image.faces[1:]]
        + [[*AWAY, 0.95], [*np.trunc(image.faces[-1]), 0.9]]
        for key, image in truth.items()
    }
    return report(predictions)


def test_the_page_has_the_ap_of_the_evaluation(flawed):
    page, evaluation = flawed
    shown = re.findall(r"<strong>(\S+)</strong>", page.read_text())
    assert shown == [f"{ap:.4f}" for ap in evaluation.ap.values()]
    assert len(shown) == 3


def test_the_page_names_protocol_source_and_network(flawed):
    facts = re.findall(r"<dd[^>]*>(.*?)</dd>", flawed[0].read_text())
    assert {"original", "weights", "resnet50, float32", "IoU of 0.5 or more"} <= set(facts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_opens_from_disk_without_errors_and_fits(browser, flawed, width, scheme):
    browser.problems.clear()
    browser.open(flawed[0], width, scheme)
    assert browser.problems == []
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('svg.plot').length") == 3
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    ink = "getComputedStyle(document.querySelector('svg.plot text')).fill"
    assert browser.run(ink) == browser.run("getComputedStyle(document.body).color")


def test_tables_sort_by_a_heading_and_turn_around(browser, flawed):
    browser.open(flawed[0])
    heading = "document.querySelector('#heights th:nth-child(2) button')"
    column = (
        "[...document.querySelectorAll('#heights tbody td:nth-child(2)')].map(e => +e.textContent)"
    )
    before = browser.run(column)
    browser.run(f"{heading}.click()")
    assert browser.run(column) == sorted(before, reverse=True) != before
    browser.run(f"{heading}.click()")
    assert browser.run(column) == sorted(before)


def choose(browser, gallery, name, value):
    field = f"document.querySelector('#{gallery} form')['{name}']"
    prop = "checked" if isinstance(value, bool) else "value"
    made = str(value).lower() if isinstance(value, bool) else f"'{value}'"
    browser.run(
        f"{field}.{prop} = {made}; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))"
    )


def shown(browser, gallery, data):
    pictures = f"document.querySelectorAll('#{gallery} .pictures figure:not([hidden])')"
    return browser.run(f"[...{pictures}].map(e => e.dataset.{data})")


def test_galleries_filter_and_sort(browser, flawed, truth):
    browser.open(flawed[0])
    everything = shown(browser, "missed", "event")
    assert len(everything) == sum(1 for image in truth.values() if image.in_set["hard"][0])
    choose(browser, "missed", "event", everything[0])
    of_event = [event for event in everything if event == everything[0]]
    assert shown(browser, "missed", "event") == of_event
    assert len(of_event) < len(everything)
    scores = [float(each) for each in shown(browser, "false", "score")]
    assert scores == [0.95] * len(truth) + [0.8] * len(truth)
    choose(browser, "false", "sort", "tall")
    tall = [float(each) for each in shown(browser, "false", "tall")]
    assert tall == sorted(tall, reverse=True)
    assert tall[-1] == AWAY[3]
    choose(browser, "false", "why", "duplicate")
    assert shown(browser, "false", "why") == ["duplicate"] * len(truth)


def test_pictures_show_labels_and_detections_that_can_be_hidden(browser, flawed):
    browser.open(flawed[0])
    visible = """[...document.querySelectorAll('#missed rect.{}')]
        .filter(e => getComputedStyle(e).display != 'none').length"""
    drawn = "Promise.all([...document.images].map(e => e.decode())).then(() => 1)"
    assert browser.run(drawn) is not None
    assert browser.run(visible.format("labelled")) > 0
    assert browser.run(visible.format("detected")) > 0
    choose(browser, "missed", "labelled", False)
    assert browser.run(visible.format("labelled")) == 0
    choose(browser, "missed", "least", "1")
    assert browser.run(visible.format("detected")) == 0


def test_a_click_enlarges_a_picture_and_an_arrow_goes_to_the_next(browser, flawed):
    browser.open(flawed[0])
    shown_name = "document.querySelector('dialog[open] .name')?.textContent"
    names = browser.run(
        "[...document.querySelectorAll('#missed figcaption .name')].map(e => e.textContent)"
    )
    browser.run("document.querySelector('#missed .tile').click()")
    assert browser.run(shown_name) == names[0]
    small, large = browser.run(
        "['#missed .tile', 'dialog'].map(e => document.querySelector(e + ' svg').clientWidth)"
    )
    assert large > 2 * small
    browser.run("document.querySelector('dialog [data-step=\"1\"]').click()")
    assert browser.run(shown_name) == names[1]


def test_a_table_that_scrolls_on_a_phone_says_so(browser, flawed):
    hint = "getComputedStyle(document.querySelector('#calibration').parentNode.nextSibling).display"
    browser.open(flawed[0], 390)
    assert browser.run(hint) == "block"
    browser.open(flawed[0], 1400)
    assert browser.run(hint) == "none"


def test_the_calibration_has_the_precision_that_was_asked_for(flawed):
    text = flawed[0].read_text()
    table = text[text.index('id="calibration"') :]
    assert re.findall(r"<tr><td>(0\.\d\d)</td>", table)[:3] == ["0.90", "0.95", "0.99"]


def test_sections_without_content_are_left_out_and_named_at_the_foot(report, truth):
    found = {key: [[*np.trunc(f), 0.9] for f in image.faces] for key, image in truth.items()}
    text = report(found)[0].read_text()
    body, foot = text.split("<footer>")
    for name in ("speed", "missed", "false"):
        assert f'id="{name}"' not in body
        assert f'href="#{name}"' not in body
    assert foot.count("left out: there are none at score") == 2
    assert "retinaface_tf" in foot


def test_without_images_the_page_has_no_galleries_and_says_so(report, truth, drawn):
    page, _ = report({key: [[*AWAY, 0.9]] for key in truth}, files={})
    text = page.read_text()
    assert f"0 of {len(truth)} images that {drawn / 'val' / 'label.txt'} names" in text
    assert "<image" not in text
