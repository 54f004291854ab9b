"""Drawn faces in WIDER FACE's layout: the same for the same seed, and as the docstrings say."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from retinaface_tf.data.synthetic.canvas import Canvas, DrawnFace
from retinaface_tf.data.synthetic.heads import Head, random_head
from retinaface_tf.data.synthetic.scenes import draw_dataset
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.wider import load_ground_truth

Labels = dict[str, list[list[float]]]  # "event/name.jpg" -> rows of columns
TRAIN, VAL = 40, 12


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "faces"
    draw_dataset(root, TRAIN, VAL, seed=3)
    return root


def read_labels(file: Path) -> Labels:
    labels: Labels = {}
    for line in file.read_text().splitlines():
        if line.startswith("# "):
            rows = labels[line[2:]] = []
        else:
            rows.append([float(word) for word in line.split()])
    return labels


def read_all(root: Path) -> dict[str, bytes]:
    """Reads what is promised to be the same bytes: .mat files carry the time of writing."""
    files = (file for file in sorted(root.rglob("*.*")) if file.suffix != ".mat")
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def read_images(root: Path, split: str) -> dict[str, bytes]:
    """Returns images by their index, which ends their name."""
    return {file.stem[-5:]: file.read_bytes() for file in (root / split / "images").rglob("*.jpg")}


def landmarks_of(labels: Labels) -> list[tuple[list[float], np.ndarray]]:
    """Returns box (x y w h) and [5, 3] (x, y, flag) of the faces that have landmarks."""
    rows = (row for rows in labels.values() for row in rows)
    return [(row[:4], np.reshape(row[4:19], (5, 3))) for row in rows if row[4] >= 0]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    draw_dataset(tmp_path / "one", 4, 2, seed=7)
    draw_dataset(tmp_path / "two", 4, 2, seed=7)
    assert read_all(tmp_path / "one") == read_all(tmp_path / "two")


def test_more_images_leave_the_first_ones_as_they_are(tmp_path):
    draw_dataset(tmp_path / "few", 2, 1, seed=7)
    draw_dataset(tmp_path / "more", 4, 2, seed=7)
    for split in ("train", "val"):
        few, more = read_images(tmp_path / "few", split), read_images(tmp_path / "more", split)
        assert few.items() < more.items()


def test_seed_split_and_index_each_make_another_image(tmp_path):
    draw_dataset(tmp_path / "one", 3, 3, seed=1)
    draw_dataset(tmp_path / "two", 3, 3, seed=2)
    images = [
        image
        for root in ("one", "two")
        for split in ("train", "val")
        for image in read_images(tmp_path / root, split).values()
    ]
    assert len(set(images)) == len(images) == 12


def test_every_label_names_an_image_of_the_stated_size(drawn):
    for split, count in (("train", TRAIN), ("val", VAL)):
        labels = read_labels(drawn / split / "label.txt")
        assert len(labels) == len(list((drawn / split / "images").rglob("*.jpg"))) == count
        for name, rows in labels.items():
            image = cv2.imread(str(drawn / split / "images" / name))
            assert image is not None
            height, width, _ = image.shape
            assert 320 <= max(height, width) <= 512
            for x, y, w, h in (row[:4] for row in rows):
                assert min(x, y) >= 0
                assert min(w, h) > 0
                assert x + w <= width
                assert y + h <= height


def test_train_has_20_columns_and_val_4(drawn):
    for split, columns in (("train", 20), ("val", 4)):
        labels = read_labels(drawn / split / "label.txt")
        assert {len(row) for rows in labels.values() for row in rows} == {columns}


def test_every_val_image_has_a_face_and_images_of_train_have_several(drawn):
    assert all(read_labels(drawn / "val/label.txt").values())
    counts = [len(rows) for rows in read_labels(drawn / "train/label.txt").values()]
    assert 4 <= np.mean(counts) <= 9
    assert max(counts) >= 20  # a crowd


def test_landmarks_lie_in_their_box_left_before_right_eyes_above_the_mouth(drawn):
    faces = landmarks_of(read_labels(drawn / "train/label.txt"))
    assert len(faces) > 100
    for (x, y, w, h), points in faces:
        assert (points[:, 0] >= x - 1e-3).all()
        assert (points[:, 0] <= x + w + 1e-3).all()
        assert (points[:, 1] >= y - 1e-3).all()
        assert (points[:, 1] <= y + h + 1e-3).all()
        left_eye, right_eye, _, left_mouth, right_mouth = points
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < min(left_mouth[1], right_mouth[1])


def test_flags_tell_visible_from_hidden_and_small_faces_have_no_landmarks(drawn):
    labels = read_labels(drawn / "train/label.txt")
    flags = np.concatenate([points[:, 2] for _, points in landmarks_of(labels)])
    assert set(flags) == {0.0, 1.0}
    assert np.mean(flags) < 0.2
    small = [row for rows in labels.values() for row in rows if row[3] < 12]
    assert small
    assert all(row[4:] == [-1.0] * 15 + [0.0] for row in small)


def test_the_parser_reads_the_labels(drawn):
    labels = read_labels(drawn / "train/label.txt")
    records = read_records(drawn / "train/label.txt")
    assert records.images.tolist() == list(labels)
    assert len(records.boxes) == sum(map(len, labels.values()))
    assert records.has_landmarks.sum() == len(landmarks_of(labels))


def test_the_ground_truth_is_the_val_labels_by_height(drawn):
    labels = read_labels(drawn / "val/label.txt")
    truth = load_ground_truth(drawn / "ground_truth")
    assert [f"{image}.jpg" for image in truth] == list(labels)
    for image, (boxes, counted) in truth.items():
        assert boxes.tolist() == labels[f"{image}.jpg"]
        height = boxes[:, 3]
        assert (height[counted["easy"]] >= 50).all()
        assert counted["medium"].tolist() == (height >= 30).tolist()
        assert counted["hard"].tolist() == (height >= 10).tolist()
    assert any(counted["easy"].any() for _, counted in truth.values())


def test_the_mat_files_are_built_like_the_official_ones(drawn):
    for name, variable, columns in (("face", "face_bbx_list", 4), ("hard", "gt_list", 1)):
        mat = loadmat(drawn / f"ground_truth/wider_{name}_val.mat")
        events, names, values = mat["event_list"], mat["file_list"], mat[variable]
        assert events.shape == names.shape == values.shape == (len(events), 1)
        assert names[0, 0].shape == values[0, 0].shape == (len(names[0, 0]), 1)
        assert (drawn / "val/images" / events[0, 0].item()).is_dir()
        assert names[0, 0][0, 0].item().startswith("0_Gradient_")
        assert values[0, 0][0, 0].shape[1] == columns


def test_an_existing_folder_is_refused_in_one_line(drawn):
    before = read_all(drawn)
    with pytest.raises(InputError, match=r"faces: exists already, .*new folder") as error:
        draw_dataset(drawn, 1, 1)
    assert "\n" not in str(error.value)
    assert read_all(drawn) == before


def test_a_run_that_stops_half_way_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("retinaface_tf.data.layout.savemat", stop)
    with pytest.raises(KeyboardInterrupt):
        draw_dataset(tmp_path / "faces", 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write faces here") as error:
        draw_dataset(tmp_path / "file" / "faces", 1, 1)
    assert "\n" not in str(error.value)


def plain_head(x: float, y: float, height: float) -> Head:
    return random_head(np.random.default_rng(0), np.array([x, y]), height)


def paint_discs(canvas: Canvas, head: Head) -> DrawnFace:
    canvas.fill(head.flat(head.outline), (200, 150, 120), owner=1)
    return canvas.finish([head])[1][0]


def test_a_face_that_nothing_covers_is_not_hidden():
    face = paint_discs(Canvas(np.zeros((200, 200, 3), np.uint8)), plain_head(100, 100, 100))
    assert face.hidden < 0.02
    assert not face.occluded.any()


def test_the_half_of_a_face_beyond_the_border_is_hidden_and_out_of_the_box():
    face = paint_discs(Canvas(np.zeros((200, 200, 3), np.uint8)), plain_head(0, 100, 100))
    assert face.hidden == pytest.approx(0.5, abs=0.05)
    assert face.box[0] == 0
    assert face.landmarks is None


def test_paint_over_the_mouth_hides_its_corners_and_its_share_of_the_face():
    canvas, head = Canvas(np.zeros((200, 200, 3), np.uint8)), plain_head(100, 100, 100)
    canvas.fill(head.flat(head.outline), (200, 150, 120), owner=1)
    canvas.fill(head.flat([(-1, 0.2), (1, 0.2), (1, 1), (-1, 1)]), (0, 0, 0))
    (face,) = canvas.finish([head])[1]
    assert face.occluded.tolist() == [False, False, False, True, True]
    assert 0.1 < face.hidden < 0.4
