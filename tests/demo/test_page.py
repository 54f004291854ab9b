"""The demo's page, as a browser shows it to a user."""

import base64
import json
import shlex

import pytest

from retinaface_tf.samples import GRACE_HOPPER

READY = "document.querySelectorAll('#overlay .mark').length > 0 && !document.querySelector('.busy')"


@pytest.fixture
def page(browser, server):
    browser.problems.clear()
    browser.open(server.url)
    yield browser
    assert browser.problems == []


def wait_for(page, condition):
    waiting = f"""new Promise((done, failed) => {{
        const end = Date.now() + 15000;
        const look = () => {condition} ? done(true)
            : Date.now() > end ? failed(document.body.innerText) : setTimeout(look, 20);
        look(); }})"""
    assert page.run(waiting)


def give(page, data, name="me.jpg", kind="image/jpeg", by="drop"):
    """Drops a file on the page, or pastes it."""
    encoded = base64.b64encode(data).decode()
    event = {
        "drop": "new DragEvent('drop', {dataTransfer: given, bubbles: true, cancelable: true})",
        "paste": "new ClipboardEvent('paste', {clipboardData: given, bubbles: true})",
    }[by]
    page.run(f"""{{
        const bytes = Uint8Array.from(atob('{encoded}'), (letter) => letter.charCodeAt(0));
        const given = new DataTransfer();
        given.items.add(new File([bytes], {json.dumps(name)}, {{type: '{kind}'}}));
        document.body.dispatchEvent({event}); }}""")


def text(page, selector):
    return page.run(f"document.querySelector('{selector}').textContent")


def set_slider(page, name, value):
    page.run(f"""{{ const slider = document.getElementById('{name}'); slider.value = {value};
        for (const kind of ['input', 'change'])
            slider.dispatchEvent(new Event(kind, {{bubbles: true}})); }}""")


@pytest.mark.parametrize("by", ["drop", "paste"])
def test_a_photo_is_shown_with_its_faces_crops_json_and_command(page, by, tmp_path):
    give(page, GRACE_HOPPER.read_bytes(), by=by)
    wait_for(page, READY)
    assert text(page, "#count") == "1 face"
    assert page.run("document.querySelectorAll('#crops canvas').length") == 1
    line = json.loads(text(page, "#json"))
    assert line["file"] == "me.jpg"
    assert [face["box"] for face in line["faces"]] == [[10, 20, 50, 70]]
    weights = f"{tmp_path}/my run"
    assert shlex.split(text(page, "#command")) == (
        ["retinaface", "detect", "me.jpg", "--weights", weights, "--score", "0.50"]
    )
    points = (
        "[...document.querySelectorAll('#overlay .landmark')].map(e => e.getAttribute('class'))"
    )
    assert page.run(points)[:3] == ["landmark left_eye", "landmark right_eye", "landmark nose"]


def test_thresholds_change_faces_json_and_command(page, detector):
    give(page, GRACE_HOPPER.read_bytes(), name="it's me.jpg")
    wait_for(page, READY)
    set_slider(page, "score", 0.25)
    assert text(page, "#count") == "2 faces"
    assert len(json.loads(text(page, "#json"))["faces"]) == 2
    set_slider(page, "nms", 0.3)
    wait_for(page, "document.getElementById('command').textContent.includes('nms_iou=0.3')")
    assert detector.asked[-1][1] == 0.3
    command = shlex.split(text(page, "#command"))
    assert command[2] == "it's me.jpg"
    assert command[-4:] == ["--score", "0.25", "--set", "detector.nms_iou=0.3"]


def test_landmarks_can_be_hidden(page):
    give(page, GRACE_HOPPER.read_bytes())
    wait_for(page, READY)
    shown = "getComputedStyle(document.querySelector('#overlay .landmark')).display != 'none'"
    assert page.run(shown)
    page.run("document.getElementById('show-landmarks').click()")
    assert not page.run(shown)


def test_a_broken_file_is_answered_by_one_line_and_the_photo_stays(browser, page):
    give(page, GRACE_HOPPER.read_bytes())
    wait_for(page, READY)
    give(page, b"no image", name="<b>broken.jpg")
    wait_for(page, "document.getElementById('status').classList.contains('bad')")
    assert text(page, "#status").startswith("<b>broken.jpg: ")
    assert text(page, "#count") == "1 face"
    # Chromium notes each answer of status 400.
    assert all("400" in problem for problem in browser.problems)
    browser.problems.clear()


def test_the_camera_is_looked_at_until_it_is_stopped(page, detector):
    page.run("document.getElementById('camera').click()")
    wait_for(page, READY)
    assert text(page, "#camera") == "Keep this picture"
    wait_for(page, "document.getElementById('json').textContent.includes('camera.jpg')")
    page.run("document.getElementById('camera').click()")
    assert text(page, "#camera") == "Use the camera"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_fits_a_phone_and_a_desktop_in_light_and_dark(browser, server, width, scheme):
    browser.problems.clear()
    browser.open(server.url, width, scheme)
    browser.run("document.querySelector('.sample').click()")
    wait_for(browser, READY)
    assert browser.run("document.documentElement.scrollWidth") <= width
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    assert browser.problems == []
