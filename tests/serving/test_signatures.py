"""An exported model: as its detector in every loader, whatever is sent to it."""

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from bright_cells import (
    ANCHORS_OF_CELLS,
    ANCHORS_OF_SQUARES,
    BrightCells,
    BrightSquares,
    thousand_faces,
)
from data.image_files import claiming, with_chunks, with_extensions, with_scans
from exported_models import SIDE
from PIL import Image
from tiny_network import noise

from retinaface_tf.config import DetectorConfig
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import ImageError
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.runtimes.network import NetworkDetector
from retinaface_tf.serving.signatures import Service
from serving.c_api import CModel
from serving.conftest import encode, png_of

OUTPUTS = ("boxes", "scores", "landmarks", "num_detections", "error")


@pytest.fixture(scope="module")
def by_c(saved_model):
    """Returns the model as TensorFlow's C++ loader has it, which is that of TensorFlow Serving."""
    return CModel(saved_model)


@pytest.fixture(scope="module")
def by_python(saved_model):
    model = tf.saved_model.load(str(saved_model))

    def call(signature, **inputs):
        tensors = {
            n: tf.constant(v.tolist() if v.dtype == object else v) for n, v in inputs.items()
        }
        if "image_bytes" in tensors:
            tensors["image_bytes"] = tf.constant(inputs["image_bytes"].tolist(), tf.string)
        answer = getattr(model, signature)(**tensors)
        return {name: part.numpy() for name, part in answer.items()}

    return call


@pytest.fixture(params=["by_c", "by_python"])
def model(request):
    return request.getfixturevalue(request.param)


def as_input(files):
    return np.array([*files, None], object)[:-1]


def assert_same(answer, place, expected):
    """Asserts that the answer about an image is what the detector says of it alone, bit for bit."""
    for name, rows in expected._asdict().items():
        np.testing.assert_array_equal(answer[name][place], rows[0], err_msg=name)
    assert answer["error"][place] == ImageError.NONE


def test_files_of_all_kinds_and_sizes_in_one_batch_get_the_detectors_answers(model, tiny, kinds):
    answer = model("serving_default", image_bytes=as_input(kinds.values()))
    assert set(answer) == set(OUTPUTS)
    for place, (kind, file) in enumerate(kinds.items()):
        expected = tiny(decode_image(file)[None])
        assert expected.num_detections[0] > 20, kind
        assert_same(answer, place, expected)


def test_a_batch_of_pixels_gets_the_detectors_answers(model, tiny, photo):
    images = np.stack([np.asarray(photo), np.asarray(photo)[:, ::-1]])
    answer = model("detect_images", images=images)
    expected = tiny(images)
    for name, rows in expected._asdict().items():
        np.testing.assert_array_equal(answer[name], rows, err_msg=name)


def test_resized_images_are_those_of_the_detector_on_squares(model, tiny, kinds):
    answer = model("detect_resized", image_bytes=as_input(kinds.values()))
    for place, (kind, file) in enumerate(kinds.items()):
        square, scale = letterbox(decode_image(file), SIDE)
        expected = tiny(square[None], scale)
        count = int(expected.num_detections[0])
        assert answer["num_detections"][place] == count > 20, kind
        for name in ("boxes", "scores", "landmarks"):
            # Alone and in a batch, sums are made in another order.
            np.testing.assert_allclose(
                answer[name][place], getattr(expected, name)[0], rtol=1e-4, atol=1e-2, err_msg=kind
            )


def test_an_image_that_fills_the_square_is_seen_as_it_is(by_c, photo):
    file = as_input([encode(photo.resize((SIDE, SIDE)), "PNG")])
    resized, whole = (by_c(n, image_bytes=file) for n in ("detect_resized", "serving_default"))
    for name in OUTPUTS:
        np.testing.assert_array_equal(resized[name], whole[name], err_msg=name)


def test_a_large_image_gets_the_answer_of_all_passes(model, tiny):
    pixels = noise(1, 1000, 1400)[0]
    file = as_input([encode(Image.fromarray(pixels), "PNG")])
    detector = NetworkDetector(tiny.network, tiny.config)
    assert detector.plan_passes(1000, 1400) == (0, 2)
    [expected] = detector.detect_together(pixels[None])
    answer = model("serving_default", image_bytes=file)
    assert answer["num_detections"] == len(expected) > 20
    for name in ("boxes", "scores", "landmarks"):
        np.testing.assert_allclose(
            answer[name][0, : len(expected)], getattr(expected, name), rtol=1e-5, atol=1e-2
        )


def test_a_small_and_a_large_face_are_found_by_the_c_loader_once_each(tiny_config, tmp_path):
    limits = DetectorConfig(score_threshold=0.5, max_detections=300)
    config = replace(tiny_config, anchors=ANCHORS_OF_SQUARES, detector=limits)
    service = Service(GraphDetector(BrightSquares(16), config))
    functions = {"serving_default": service.serving_default, "detect_images": service.detect_images}
    tf.saved_model.save(service, str(tmp_path), signatures=functions)
    image = np.zeros((256, 768, 3), np.uint8)
    image[:, 256:512] = 180
    image[32:48, 16:32] = 190
    model = CModel(tmp_path)
    file = as_input([encode(Image.fromarray(image), "PNG")])
    answer = model("serving_default", image_bytes=file)
    assert answer["num_detections"] == [2]
    np.testing.assert_allclose(
        answer["boxes"][0, :2], [[16, 32, 32, 48], [256, 0, 512, 256]], atol=1e-3
    )
    one_pass = model("detect_images", images=image[None])
    assert one_pass["num_detections"] == [1 + 16 * 16]


def test_the_score_asked_for_selects_from_the_answer_of_the_configs_score(model, photo):
    file = as_input([encode(photo.resize((1400, 1000)), "PNG")])
    every = model("serving_default", image_bytes=file)["scores"][0]
    some = model("serving_default", image_bytes=file, score_threshold=np.float32(0.7))["scores"][0]
    assert some[some > 0].tolist() == every[every > 0.7].tolist() != []


@pytest.mark.slow
def test_saved_model_cli_answers_as_the_detector_does(saved_model, tiny, kinds, tmp_path):
    np.save(tmp_path / "input.npy", np.array([kinds["JPEG"]]))
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("saved_model_cli"), "run", "--dir", saved_model),
            *("--tag_set", "serve", "--signature_def", "serving_default"),
            *("--inputs", f"image_bytes={tmp_path / 'input.npy'}", "--outdir", tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = {name: np.load(tmp_path / "out" / f"{name}.npy") for name in OUTPUTS}
    assert_same(answer, 0, tiny(decode_image(kinds["JPEG"])[None]))


def bad_images():
    whole = encode(Image.effect_noise((60, 60), 90), "JPEG")
    return {
        "nothing": (b"", ImageError.UNKNOWN_KIND),
        "garbage": (b"\x00garbage" * 99, ImageError.UNKNOWN_KIND),
        "a text that begins as a JPEG": (b"\xff\xd8\xff" + b"text" * 99, ImageError.BROKEN),
        "a JPEG cut short": (whole[:-400], ImageError.BROKEN),
        "a JPEG cut in its header": (whole[:20], ImageError.BROKEN),
        "a PNG cut short": (encode(Image.new("RGB", (60, 60)), "PNG")[:-20], ImageError.BROKEN),
        "one pixel": (encode(Image.new("RGB", (1, 1)), "PNG"), ImageError.TOO_SMALL),
        "20,000 pixels wide": (png_of(20_000, 10), ImageError.TOO_LARGE),
        "a decompression bomb": (png_of(10_000, 10_000), ImageError.TOO_LARGE),
        "a JPEG that claims more than it holds": (claiming(whole, 900), ImageError.BROKEN),
        "a JPEG of 10,000 scans": (with_scans(10_000), ImageError.TOO_COMPLEX),
        "a GIF of extensions": (with_extensions(66_000), ImageError.TOO_COMPLEX),
        "a PNG of texts": (with_chunks(b"zTXt", 900), ImageError.TOO_COMPLEX),
        "a bomb of a GIF": (b"GIF89a\xff\xff\xff\xff\0\0\0", ImageError.TOO_LARGE),
    }


@pytest.mark.parametrize("signature", ["serving_default", "detect_resized"])
@pytest.mark.parametrize("bad", bad_images().values(), ids=bad_images())
def test_of_eight_images_a_bad_one_spoils_none_of_the_others(model, kinds, signature, bad):
    data, error = bad
    files = list(kinds.values())[:7]
    answer = model(signature, image_bytes=as_input([*files[:3], data, *files[3:]]))
    alone = model(signature, image_bytes=as_input([files[0]]))
    assert answer["error"].tolist() == [0, 0, 0, int(error), 0, 0, 0, 0]
    assert answer["num_detections"][3] == 0
    assert not any(answer[name][3].any() for name in ("boxes", "scores", "landmarks"))
    others = np.delete(answer["num_detections"], 3)
    assert (others > 20).all()
    if signature == "serving_default":
        for name in OUTPUTS:
            np.testing.assert_array_equal(answer[name][0], alone[name][0], err_msg=name)
    else:
        np.testing.assert_allclose(answer["boxes"][0], alone["boxes"][0], rtol=1e-4, atol=1e-2)


def test_a_batch_of_bad_images_alone_is_answered(model):
    for signature in ("serving_default", "detect_resized"):
        answer = model(signature, image_bytes=as_input([b"", b"garbage"]))
        assert answer["error"].tolist() == [1, 1]
        assert not answer["num_detections"].any()


def test_a_batch_of_0_has_answers_of_0(model):
    inputs = {"image_bytes": as_input([])}
    pixels = {"images": np.zeros((0, 40, 50, 3), np.uint8)}
    for signature, given in (
        *(("serving_default", inputs), ("detect_resized", inputs)),
        ("detect_images", pixels),
    ):
        shapes = {name: rows.shape for name, rows in model(signature, **given).items()}
        assert shapes == {
            "boxes": (0, 100, 4),
            "scores": (0, 100),
            "landmarks": (0, 100, 5, 2),
            "num_detections": (0,),
            "error": (0,),
        }


@pytest.mark.parametrize("shape", [(0, 0), (0, 50), (7, 50)])
def test_pixels_of_no_extent_are_too_small(model, shape):
    answer = model("detect_images", images=np.zeros((2, *shape, 3), np.uint8))
    assert answer["error"].tolist() == [ImageError.TOO_SMALL] * 2
    assert not answer["num_detections"].any()


def test_a_threshold_left_out_is_the_configs_and_one_given_counts(model, tiny, kinds):
    file = as_input([kinds["JPEG"]])
    image = decode_image(kinds["JPEG"])[None]
    score, iou = np.float32(0.6), np.float32(0.1)
    for given in (
        {},
        {"score_threshold": score},
        {"nms_iou": iou},
        {"score_threshold": score, "nms_iou": iou},
    ):
        expected = tiny(image, **given)
        for signature, inputs in (
            ("serving_default", {"image_bytes": file}),
            ("detect_images", {"images": image.numpy()}),
        ):
            assert_same(model(signature, **inputs, **given), 0, expected)
    square, scale = letterbox(image[0], SIDE)
    for given in ({}, {"score_threshold": score}, {"nms_iou": iou}):
        answer = model("detect_resized", image_bytes=file, **given)
        assert_same(answer, 0, tiny(square[None], scale, **given))


def test_defaults_lie_in_the_signature(by_c, tiny_config):
    config = tiny_config.detector
    for name, signature in by_c.signatures.items():
        if not name.startswith("__") and name != "detect_bytes":
            defaults = {n: tf.make_ndarray(v) for n, v in signature.defaults.items()}
            assert defaults == {
                "score_threshold": np.float32(config.score_threshold),
                "nms_iou": np.float32(config.nms_iou),
            }, name


@pytest.mark.parametrize("signature", ["serving_default", "detect_resized"])
def test_each_image_may_have_thresholds_of_its_own(model, kinds, signature):
    files = [kinds["JPEG"], b"garbage", kinds["JPEG"], kinds["PNG"]]
    scores, ious = np.float32([0.5, 0, 0.9, 0.02]), np.float32([0.1, 0, 0.7, 0.4])
    given = {"score_threshold": scores, "nms_iou": ious}
    answer = model(signature, image_bytes=as_input(files), **given)
    for place in (0, 2, 3):
        alone = model(
            signature,
            image_bytes=as_input(files[place : place + 1]),
            **{name: value[place] for name, value in given.items()},
        )
        assert alone["num_detections"][0] == answer["num_detections"][place] > 0
        np.testing.assert_allclose(answer["boxes"][place], alone["boxes"][0], rtol=1e-4, atol=1e-2)
    counts = answer["num_detections"].tolist()
    assert counts[0] != counts[2]
    assert counts[1] == 0


def test_the_signature_of_one_input_answers_as_the_default_one(model, kinds):
    files = as_input([kinds["JPEG"], b"garbage", kinds["GIF of two frames"]])
    one, other = (model(n, image_bytes=files) for n in ("detect_bytes", "serving_default"))
    for name in OUTPUTS:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_nothing_above_the_threshold_is_no_detection_and_no_error(model, kinds):
    file, most = as_input([kinds["PNG"]]), np.float32(1)
    answer = model("serving_default", image_bytes=file, score_threshold=most)
    assert answer["error"].tolist() == answer["num_detections"].tolist() == [0]
    assert not answer["boxes"].any()


def bright_service(tiny_config, **settings):
    config = replace(
        tiny_config,
        anchors=ANCHORS_OF_CELLS,
        detector=DetectorConfig(**settings),
    )
    return Service(GraphDetector(BrightCells(16, certain=256), config))


def test_of_a_thousand_faces_the_best_750_are_told(tiny_config):
    image, best = thousand_faces(cell=16)
    service = bright_service(tiny_config, max_face=16)  # in one pass
    answer = service.serving_default(tf.constant([encode(Image.fromarray(image[0]), "PNG")]))
    assert answer["num_detections"].numpy().tolist() == [750]
    np.testing.assert_allclose(answer["scores"][0], best, rtol=1e-5)


def test_pixels_of_more_than_the_network_may_see_at_once_are_seen_one_by_one(tiny_config):
    service = bright_service(tiny_config, max_detections=5)
    service._max_pixels = 40 * 64
    images = np.full((3, 32, 64, 3), 100, np.uint8)
    images[1, :16, :16] = 200
    answer = service.detect_images(images)
    expected = service.detector(images)
    for name, rows in expected._asdict().items():
        np.testing.assert_array_equal(answer[name], rows, err_msg=name)
    assert answer["error"].shape == (3,)


def test_squares_are_seen_in_parts_that_the_network_may_see_at_once(tiny_config):
    service = bright_service(tiny_config, max_detections=5)
    service._max_pixels = 2 * SIDE**2
    files = []
    for bright in range(5):
        image = np.zeros((32, 48, 3), np.uint8)
        image[16 * (bright % 2) :, 16 * (bright % 3) :] = 50 * (bright + 1)
        files.append(encode(Image.fromarray(image), "PNG"))
    together = service.detect_resized(tf.constant(files))
    for place, file in enumerate(files):
        alone = service.detect_resized(tf.constant([file]))
        for name in OUTPUTS:
            np.testing.assert_array_equal(together[name][place], alone[name][0], err_msg=name)


def test_a_letterbox_keeps_proportions_and_fills_with_what_the_network_subtracts():
    image = np.full((20, 40, 3), 9, np.uint8)
    square, scale = letterbox(tf.constant(image), 64)
    np.testing.assert_array_equal(scale, np.float32([1.6, 1.6]))
    assert square.shape == (64, 64, 3)
    assert (square[:32].numpy() == 9).all()
    assert (square[32:].numpy() == [123, 117, 104]).all()


def of_random_size(random):
    height, width = random.integers(32, 300, 2)
    return random.integers(0, 256, (height, width, 3), np.uint8)


def test_one_trace_serves_all_sizes(tiny):
    service = Service(tiny)
    random = np.random.default_rng(2)
    for _ in range(3):
        file = encode(Image.fromarray(of_random_size(random)), "JPEG")
        service.serving_default(tf.constant([file]))
    assert service.serving_default.experimental_get_tracing_count() == 1


@pytest.mark.slow
def test_memory_does_not_grow_over_two_hundred_sizes(by_c):
    random, memory = np.random.default_rng(2), []
    for _ in range(250):
        file = encode(Image.fromarray(of_random_size(random)), "JPEG")
        by_c("serving_default", image_bytes=as_input([file, file[:200]]))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append(pages * resource.getpagesize())
    # The first fifty fill what allocators keep.
    grown = max(memory[200:]) - max(memory[50:100])
    assert grown < 64 * 2**20, f"{grown / 2**20:.0f} MiB more after 200 images"
