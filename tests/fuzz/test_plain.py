"""The drivers find what there is to find, and can do so again."""

import json
from random import Random

import pytest

from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.fuzz.__main__ import record
from tests.fuzz.memory import bounded
from tests.fuzz.messages import Words, mutated_message
from tests.fuzz.mutation import mutated_json
from tests.fuzz.plain import run
from tests.fuzz.target import Target


def guarded(limit):
    """Return a door that takes what begins with "ok", and breaks at a byte above a limit."""

    def attempt(data):
        if max(data, default=0) > limit:
            raise OverflowError(data)
        return data.startswith(b"ok")

    return Target(name="planted", seeds=[b"ok\x01\x02"], attempt=attempt)


def test_a_planted_defect_is_found_with_its_input_and_place():
    found = run(guarded(200), 500, seed=0)
    (place,) = found.findings
    assert place.startswith("OverflowError at test_plain.py:")
    data, text = found.findings[place]
    assert max(data) > 200
    assert "raise OverflowError" in text
    assert 0 < found.taken < found.inputs == 501


def test_a_seed_gives_the_same_run():
    assert run(guarded(200), 300, seed=3) == run(guarded(200), 300, seed=3)
    assert run(guarded(256), 300, seed=3).findings == {}


def test_memory_is_bounded():
    with bounded(2**27), pytest.raises(MemoryError):
        bytes(2**28)
    assert len(bytes(2**28)) == 2**28


def test_a_changed_message_is_mostly_a_message_that_says_something_else():
    words = Words(texts=["v"], bytes=[b"d" * 32])
    before = pb.SearchRequest(collection="v", k=3, model_digest=b"m").SerializeToString()
    rng, kinds = Random(0), set()
    for _ in range(300):
        data = mutated_message(pb.SearchRequest, before, rng, words)
        try:
            changed = pb.SearchRequest.FromString(data)
        except Exception:  # noqa: BLE001 - now and then it is none
            continue
        kinds |= {field.name for field, _ in changed.ListFields()}
    assert kinds == set(pb.SearchRequest.DESCRIPTOR.fields_by_name)


def test_a_changed_document_is_another_and_the_first_stays():
    document = {"a": [1, 2.5, {"b": "text"}], "c": None}
    rng = Random(0)
    changed = {json.dumps(mutated_json(document, rng)) for _ in range(300)}
    assert len(changed) > 100
    assert document == {"a": [1, 2.5, {"b": "text"}], "c": None}


def test_counts_are_summed_up_and_coverage_is_the_last(tmp_path):
    path = tmp_path / "results" / "fuzz.json"
    ran = {"inputs": 10, "seconds": 2, "edges": 5, "features": 6, "corpus": 1, "findings": ["x"]}
    record(path, "grant", ran)
    record(path, "grant", {**ran, "edges": 4, "findings": []})
    record(path, "codes", ran)
    kept = json.loads(path.read_text())
    grant = kept["targets"]["grant"]
    assert (kept["inputs"], grant["inputs"], grant["edges"]) == (30, 20, 4)
    assert (grant["seconds"], grant["findings"]) == (4, ["x"])
