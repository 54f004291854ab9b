"""The plan of a batch: it only grows."""

import os

from retinaface_tf.batch.shards import MAX_IMAGES, MIN_SHARDS, plan_shards
from retinaface_tf.batch.sources import ImageRef


def images(*numbers: int) -> list[ImageRef]:
    return [ImageRef(f"{number}.jpg", f"/{number}.jpg") for number in numbers]


def test_each_image_is_in_one_shard_and_read_as_it_was(tmp_path):
    refs = [*images(*range(150)), ImageRef("x", os.fsdecode(b"/\xff.parquet"), 3)]
    shards = plan_shards(refs + images(7), tmp_path)
    assert [ref for shard in shards for ref in shard.read()] == refs
    assert sum(shard.images for shard in shards) == len(refs)
    assert len({shard.part for shard in shards}) == len(shards)


def test_few_images_are_in_many_shards_and_many_in_shards_of_some_hundreds(tmp_path):
    few, many = 2 * MIN_SHARDS, 2 * MIN_SHARDS * MAX_IMAGES
    assert {shard.images for shard in plan_shards(images(*range(few)), tmp_path / "few")} == {2}
    shards = plan_shards(images(*range(many)), tmp_path / "many")
    assert {shard.images for shard in shards} == {MAX_IMAGES}


def test_shards_stay_where_images_are_gone_and_others_came(tmp_path):
    before = plan_shards(images(0, 1, 2), tmp_path)
    assert plan_shards(images(2, 1, 0), tmp_path) == before
    after = plan_shards(images(1, 2, 3), tmp_path)
    assert after[: len(before)] == before
    assert [shard.read() for shard in after[len(before) :]] == [images(3)]


def test_a_path_that_is_not_utf8_is_planned_once(tmp_path):
    name = os.fsdecode(b"/\xff.jpg")
    before = plan_shards([ImageRef(name, name)], tmp_path)
    assert before[0].read() == [ImageRef("/\\udcff.jpg", name)]
    assert plan_shards([ImageRef(name, name)], tmp_path) == before
