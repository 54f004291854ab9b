import json

import pytest

from retinaface_tf.config import TrainConfig
from retinaface_tf.errors import InputError
from retinaface_tf.training.cluster import find_cluster

TWO = {"worker": ["a:1", "b:2"]}


def in_tf_config(monkeypatch, cluster, job: str, index: int):
    text = json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})
    monkeypatch.setenv("TF_CONFIG", text)


def in_slurm(monkeypatch, rank: int, nodes: str = "n[1-2]", name: str | None = None):
    variables = {
        "SLURM_JOB_ID": "1234567",
        "SLURM_PROCID": str(rank),
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": "2,1",
    }
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    if name is not None:
        monkeypatch.setenv("SLURMD_NODENAME", name)


def test_without_a_word_of_others_a_worker_is_alone():
    cluster = find_cluster(TrainConfig())
    assert cluster.is_alone
    assert cluster.is_chief


def test_the_first_worker_of_tf_config_is_the_chief(monkeypatch):
    chiefs = []
    for index in (0, 1):
        in_tf_config(monkeypatch, TWO, "worker", index)
        cluster = find_cluster(TrainConfig())
        assert (cluster.size, cluster.index) == (2, index)
        chiefs.append(cluster.is_chief)
    assert chiefs == [True, False]


def test_a_chief_by_name_comes_before_the_workers(monkeypatch):
    in_tf_config(monkeypatch, TWO | {"chief": ["c:3"]}, "worker", 0)
    cluster = find_cluster(TrainConfig())
    assert (cluster.size, cluster.index, cluster.is_chief) == (3, 1, False)


@pytest.mark.parametrize(
    "variable", ["SLURM_STEP_NUM_TASKS", "SLURM_JOB_ID", "SLURM_PROCID", "SLURM_STEP_NODELIST"]
)
@pytest.mark.parametrize("value", ["x", "", "n[", "9" * 5000])
def test_a_variable_of_slurm_that_is_broken_is_one_line(monkeypatch, variable, value):
    in_slurm(monkeypatch, 0)
    monkeypatch.setenv(variable, value)
    if variable == "SLURM_STEP_NODELIST" and value in ("x", ""):
        return
    with pytest.raises(InputError) as error:
        find_cluster(TrainConfig())
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "JSONDecodeError"),
        ("{}", "KeyError: 'cluster'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "worker 1"),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "a task 'ps'"),
        ('{"cluster": 3, "task": {"type": "worker", "index": 0}}', "TypeError"),
    ],
)
def test_a_tf_config_that_cannot_train_is_answered_with_what_is_expected(monkeypatch, text, found):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r'TF_CONFIG: expected \{"cluster"') as raised:
        find_cluster(TrainConfig())
    assert found in str(raised.value)


def test_a_step_of_slurm_is_found_by_tensorflows_resolver(monkeypatch):
    in_slurm(monkeypatch, 2, name="n2")
    cluster = find_cluster(TrainConfig())
    assert cluster.jobs == {"worker": ["n1:24567", "n1:24568", "n2:24567"]}
    assert (cluster.index, cluster.is_chief) == (2, False)


def test_hosts_that_tensorflow_orders_otherwise_than_slurm_are_refused(monkeypatch):
    in_slurm(monkeypatch, 0, nodes="n[9-10]", name="n9")
    with pytest.raises(InputError, match="task 0 is on n9, not on n10"):
        find_cluster(TrainConfig())


def test_the_config_can_tell_to_stay_alone(monkeypatch):
    in_tf_config(monkeypatch, TWO, "worker", 1)
    assert find_cluster(TrainConfig(cluster="none")).is_alone


def test_slurm_that_is_not_there_is_answered(monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(InputError, match="expected a step started by srun"):
        find_cluster(TrainConfig(cluster="slurm"))
