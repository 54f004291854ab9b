"""A short form of benchmarks/step_operations.py: what a step executes outside of its network."""

import pytest
from operations import PARTS, count_operations, make_step_and_batch, within_limits
from tiny_backbone import tiny_backbone


@pytest.fixture
def counts_of():
    """Counts of a step on batches of so many images and faces each, by part."""

    def count(images: int, faces: int):
        with tiny_backbone():
            step, batch = make_step_and_batch(images, faces)
        step(batch)
        return count_operations(lambda: step(batch)["loss"].numpy())

    return count


def test_targets_and_loss_cost_as_many_operations_for_any_batch_up_to_a_block_of_faces(counts_of):
    few, many = counts_of(1, 3), counts_of(8, 16)
    assert few["targets"] == many["targets"]
    assert few["loss"] == many["loss"]
    assert within_limits(many)
    # A block of faces, and whether there is another; whether the step is finite.
    assert {part: c.waits for part, c in many.items() if c.waits} == {"targets": 2, "update": 1}
    assert min(many[part].executions for part in PARTS) > 20
