"""A real worker in a process of its own, and what a peer's file must say."""

import numpy as np
import pytest

from benchmarks.harness.errors import NotHereError
from benchmarks.load import workload
from benchmarks.load.peer_trial import trial
from benchmarks.peers import environment
from benchmarks.peers.environment import interpreter
from benchmarks.peers.remote import PeerError, client_of, peer_at_work, title_of
from benchmarks.timing.peers import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_peer_says_what_it_needs_and_how_it_is_asked(name):
    assert client_of(name)
    assert title_of(name)


def test_our_own_server_is_a_peer_like_the_others(tmp_path):
    asked = workload.codes(500)
    np.save(tmp_path / "rows.npy", asked.rows)
    np.save(tmp_path / "queries.npy", asked.queries)
    with peer_at_work("ours") as remote:
        assert remote.ask("indexes", kind=asked.kind) == {"default": [0]}
        assert "cipherlens" in remote.ask("setup", folder=str(tmp_path))
        remote.ask("fill", kind=asked.kind, rows=str(tmp_path / "rows.npy"))
        remote.ask("tune", knob=0)
        found = remote.ask("found", queries=str(tmp_path / "queries.npy"))
        with pytest.raises(PeerError, match="ours: FileNotFoundError"):
            remote.ask("found", queries=str(tmp_path / "none.npy"))
    assert asked.recall(np.array(found)) == 1.0


def test_a_peer_that_is_not_done_in_time_is_named_with_the_reason():
    rows, reason = trial("ours", workload.codes(500), limit_s=0.2)
    assert rows == []
    assert reason is not None
    assert reason.startswith("ours ended with exit code ")


def test_what_cannot_be_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "PEERS", tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    with pytest.raises(NotHereError, match="nothing cannot be installed"):
        interpreter("nothing", (str(tmp_path / "no-such-wheel.whl"),))


def test_an_environment_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "PEERS", tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    made = []
    monkeypatch.setattr(environment, "_run", lambda name, command: made.append(command))
    (tmp_path / "some").mkdir()
    first = interpreter("some", ("a>=1",))
    assert (interpreter("some", ("a>=1",)), len(made)) == (first, 2)
    interpreter("some", ("a>=2",))
    assert len(made) == 4
