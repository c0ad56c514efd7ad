import numpy as np
import pytest

from cipherlens.client.core.collection import Limits
from cipherlens.client.core.content import vector_rows
from cipherlens.client.core.question import DEFAULT_OPTIONS, Question, Questions, SearchOptions
from cipherlens.v1 import retrieval_service_pb2 as messages

CODES = np.arange(18, dtype=np.uint8).reshape(3, 6)


def limits(**changes: int) -> Limits:
    values = dict.fromkeys(Limits.__dataclass_fields__, 10**9)
    return Limits(**{**values, "max_item_id_bytes": 64, **changes})


def test_a_question_is_asked_of_one_query_after_the_other() -> None:
    options = SearchOptions(nprobe=3, exact=True, min_sequence=4, model_digest=b"m")
    question = Question("c", 7, options, CODES)
    for rows in (CODES[:1], CODES[1:]):
        request = question.request(rows.tobytes())
        assert request == messages.SearchRequest(
            collection="c",
            k=7,
            codes={"bits": 48, "data": rows.tobytes()},
            parameters={"nprobe": 3, "exact": True},
            min_sequence=4,
            model_digest=b"m",
        )


def test_vectors_keep_their_dimension() -> None:
    vectors = vector_rows([[1.0, 2.0, 3.0]])
    request = Question("v", 1, DEFAULT_OPTIONS, vectors).request(vectors.tobytes())
    assert (request.vectors.dimension, len(request.vectors.data)) == (3, 12)
    assert not request.parameters.HasField("nprobe")


def test_what_is_known_is_not_made_again() -> None:
    known = Questions()
    question = known.of("c", 20, DEFAULT_OPTIONS, CODES)
    assert known.of("c", 20, SearchOptions(), CODES[:1]) is question
    for other in (
        known.of("d", 20, DEFAULT_OPTIONS, CODES),
        known.of("c", 21, DEFAULT_OPTIONS, CODES),
        known.of("c", 20, SearchOptions(exact=True), CODES),
        known.of("c", 20, DEFAULT_OPTIONS, CODES[:, :3]),
        known.of("c", 20, DEFAULT_OPTIONS, CODES.astype("<f4")),
    ):
        assert other is not question


def test_questions_do_not_pile_up() -> None:
    known = Questions()
    asked = [known.of("c", 1, SearchOptions(min_sequence=n), CODES) for n in range(3000)]
    assert len(known._known) <= 1024
    assert asked[-1] is known.of("c", 1, SearchOptions(min_sequence=2999), CODES)


def test_k_is_at_least_one_however_often_it_is_asked() -> None:
    known = Questions()
    for _ in range(2):
        with pytest.raises(ValueError, match="k must be at least 1, got 0"):
            known.of("c", 0, DEFAULT_OPTIONS, CODES)


def test_neither_request_nor_answer_is_too_large() -> None:
    question = Question("c", 20, DEFAULT_OPTIONS, vector_rows(np.zeros((1, 1000))))
    assert question.max_queries(limits(max_queries=9)) == 9
    fits = question.max_queries(limits(max_message_bytes=2**20, max_item_id_bytes=1))
    assert 0 < fits * 4000 < 2**20
    fits = question.max_queries(limits(max_message_bytes=2**20, max_item_id_bytes=2000))
    assert 0 < fits * 20 * 2000 < 2**20
    assert question.max_queries(limits(max_message_bytes=1)) == 1
