"""The page of a report, as a browser shows it to a user."""

import os
import re

import chromium
import numpy as np
import pytest

from retinaface_tf.evaluation.wider import load_ground_truth, write_predictions

QUICKSTART = "--cfg=configs/quickstart.yaml"
AWAY = [0.0, 0.0, 5.0, 5.0]


@pytest.fixture(scope="module")
def report(drawn, command, tmp_path_factory):
    """Reports on predictions of the drawn faces: the folder of the page, and what was printed."""

    def of(predictions, *arguments):
        folder = tmp_path_factory.mktemp("report")
        write_predictions(folder / "predictions", predictions)
        done = command(
            *("eval.py", QUICKSTART, f"--set=data.root={drawn}", f"--out={folder}"),
            *(f"--predictions={folder / 'predictions'}", f"--report={folder}", *arguments),
        )
        assert done.returncode == 0, done.stderr
        return folder / "report.html", done.stdout

    return of


@pytest.fixture(scope="module")
def truth(drawn):
    return load_ground_truth(drawn / "ground_truth")


@pytest.fixture(scope="module")
def flawed(report, truth):
    """Of every image the first face is missed; one detection is false, one a double."""
    predictions = {
        key: [[*np.trunc(face), 0.8] for face in image.faces[1:]]
        + [[*AWAY, 0.95], [*np.trunc(image.faces[-1]), 0.9]]
        for key, image in truth.items()
    }
    return report(predictions)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.PROGRAM is None:
        pytest.skip("needs Chromium, which is not on this machine")
    started = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


def test_the_figures_of_the_page_are_those_of_the_three_lines(flawed):
    page, printed = flawed
    shown = re.findall(r"<strong>(\S+)</strong>", page.read_text())
    assert shown == re.findall(r"AP : (\S+)", printed)
    assert len(shown) == 3


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
    assert len(everything) == sum(1 for image in truth.values() if image.counted["hard"][0])
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
    choose(browser, "false", "why", "double")
    assert shown(browser, "false", "why") == ["double"] * len(truth)


def test_pictures_show_labels_and_detections_that_can_be_hidden(browser, flawed):
    browser.open(flawed[0])
    visible = """[...document.querySelectorAll('#missed rect.{}')]
        .filter(e => getComputedStyle(e).display != 'none').length"""
    drawn = "Promise.all([...document.images].map(e => e.decode())).then(() => 1)"
    assert browser.run(drawn) is not None
    assert browser.run(visible.format("face")) > 0
    assert browser.run(visible.format("found")) > 0
    choose(browser, "missed", "faces", False)
    assert browser.run(visible.format("face")) == 0
    choose(browser, "missed", "least", "1")
    assert browser.run(visible.format("found")) == 0


def test_where_nothing_is_missed_or_false_the_page_says_so(report, truth):
    found = {key: [[*np.trunc(f), 0.9] for f in image.faces] for key, image in truth.items()}
    page, _ = report(found)
    assert page.read_text().count("There are none at score") == 2


def test_without_images_the_page_has_no_galleries_and_says_so(report, truth, drawn):
    nowhere = ["--set=data.val_labels=nowhere/label.txt", "--set=data.ground_truth=ground_truth"]
    page, _ = report({key: [[*AWAY, 0.9]] for key in truth}, *nowhere)
    text = page.read_text()
    assert f"No pictures: 0 of {len(truth)} images are in {drawn / 'nowhere' / 'images'}" in text
    assert "<image" not in text


def test_without_its_packages_a_report_is_refused_before_the_work(command, tmp_path):
    (tmp_path / "jinja2.py").write_text("raise ModuleNotFoundError(name='jinja2')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = command("eval.py", QUICKSTART, f"--report={tmp_path}", env=environment)
    assert done.returncode == 1
    assert done.stderr == "error: --report: needs jinja2: pip install 'retinaface-tf[report]'\n"
