from pathlib import Path

from retinaface_tf.training.leftovers import remove_leftovers

KEPT = [
    "config.yaml",
    "best.weights.h5",
    "eval/eval.json",
    "checkpoints/checkpoint",
    "checkpoints/step-2.index",
    "checkpoints/step-2.weights.h5",
    "checkpoints/broken-step-1.index",
    "bad_batches/step-7.npz",
]
LEFT = [
    ".config.yaml",
    ".best.json",
    ".best.weights.h5",
    "checkpoints/.step-4.weights.h5",
    "checkpoints/step-4_temp/part-00000-of-00001.index",
    "checkpoints/checkpoint.tmp0a1b2c",
    "bad_batches/.step-9.npz",
]


def test_what_killed_runs_have_left_half_written_is_removed_and_nothing_else(tmp_path):
    for name in (*KEPT, *LEFT):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.touch()
    remove_leftovers(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(str(file.relative_to(tmp_path)) for file in files) == sorted(KEPT)
    assert not (tmp_path / "checkpoints/step-4_temp").exists()


def test_a_new_folder_has_no_leftovers(tmp_path):
    remove_leftovers(Path(tmp_path / "run"))
