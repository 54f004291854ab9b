"""Workers that wait for each other before TensorFlow does."""

import logging
import socket
import time
from threading import Thread

import pytest

from retinaface_tf.errors import InputError
from retinaface_tf.training import rendezvous
from retinaface_tf.training.cluster import Cluster
from retinaface_tf.training.rendezvous import await_partners


@pytest.fixture
def addresses():
    """Returns three addresses of this machine that nobody uses."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(3)]
    found = [f"localhost:{opened.getsockname()[1]}" for opened in sockets]
    for opened in sockets:
        opened.close()
    return found


@pytest.fixture
def in_short(monkeypatch):
    monkeypatch.setattr(rendezvous, "NAMED_AFTER", 0.3)
    monkeypatch.setattr(rendezvous, "GIVEN_UP_AFTER", 1.0)


def test_workers_that_come_one_after_the_other_all_go_on(addresses, in_short):
    gone_on = []

    def work(index):
        await_partners(Cluster({"worker": addresses}, task=index))
        # Then TensorFlow's server listens in this one's place.
        gone_on.append(socket.create_server(("", int(addresses[index].split(":")[1]))))

    threads = [Thread(target=work, args=(index,), daemon=True) for index in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    for thread in threads:
        thread.join(10)
    for server in gone_on:
        server.close()
    assert len(gone_on) == 3


def test_those_that_are_missing_are_named_and_given_up(addresses, in_short, caplog):
    cluster = Cluster({"chief": addresses[:1], "worker": addresses[1:]}, task=0)
    first = socket.create_server(("", int(addresses[0].split(":")[1])))
    with first, caplog.at_level(logging.WARNING), pytest.raises(InputError) as error:
        await_partners(cluster)
    [record] = caplog.records
    for text in (record.getMessage(), str(error.value)):
        assert "worker 2 of 3" in text
        assert f"worker 3 ({addresses[2]})" in text
        assert addresses[0] not in text


def test_a_port_in_use_is_refused_by_its_number(addresses):
    port = int(addresses[1].split(":")[1])
    expected = f"worker 2 of 3: cannot listen on port {port}"
    with socket.create_server(("", port)), pytest.raises(InputError, match=expected):
        await_partners(Cluster({"worker": addresses}, task=1))


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":1", "a:b", "a:0", "a:70000"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InputError, match="expected worker addresses such as host:2222"):
        await_partners(Cluster({"worker": [address, "localhost:1"]}))
