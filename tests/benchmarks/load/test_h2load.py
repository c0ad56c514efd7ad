"""Answers counted by their bytes, from h2load's words and from a real server."""

import shutil

import pytest

from benchmarks.load.h2load import Body, Process, _place, answered, counted, framed, latencies_us

OUTPUT = """finished in 1.00s, 5090.00 req/s, 2.55MB/s
requests: 5090 total, 5094 started, 5090 done, 5090 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 5091 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 2.55MB (2672837) total, 9.96KB (10194) headers (space savings 94.73%), 2.40MB ({}) data
"""
ANSWER_BYTES = 490


def test_right_answers_are_counted_by_their_bytes():
    assert counted(OUTPUT.format(5091 * 495), ANSWER_BYTES) == 5091


@pytest.mark.parametrize("data_bytes", [0, 4000 * 495, 6000 * 495])
def test_answers_of_another_length_are_no_answers(data_bytes):
    with pytest.raises(RuntimeError, match="5090 calls ended, but the bytes are those of"):
        counted(OUTPUT.format(data_bytes), ANSWER_BYTES)


@pytest.mark.parametrize("output", ["", OUTPUT.format(0).replace("5090 done", "0 done")])
def test_no_answer_at_all_is_an_error(output):
    with pytest.raises(RuntimeError, match="counted no answer"):
        counted(output, ANSWER_BYTES)


def test_a_frame_is_a_flag_and_four_bytes_of_length():
    assert framed(b"abc") == b"\x00\x00\x00\x00\x03abc"


def test_a_socket_file_is_told_apart_from_the_method():
    assert _place("http://127.0.0.1:1/a.B/C") == ["http://127.0.0.1:1/a.B/C"]
    assert _place("unix:/tmp/x/socket/a.B/C") == [
        "-B",
        "unix:/tmp/x/socket",
        "http://localhost/a.B/C",
    ]


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
class TestRealServer:
    """A bare server under load for a moment."""

    def test_answers_are_counted_and_timed(self, contender):
        body = contender.bodies[0]
        processes = [Process(body=body, connections=1, streams=4)] * 2
        assert answered(contender.url, processes, 0.2) > 0
        assert (latencies_us(contender.url, body, 0.2) > 0).all()

    @pytest.mark.parametrize("contender", ["grpcio"], indirect=True)
    def test_failed_calls_are_not_counted(self, contender, tmp_path):
        refused = tmp_path / "undecodable.body"
        refused.write_bytes(framed(b"\xff\xff"))
        body = Body(path=refused, answer_bytes=contender.bodies[0].answer_bytes)
        with pytest.raises(RuntimeError, match=r"the bytes are those of 0\.0 answers"):
            answered(contender.url, [Process(body=body, connections=1, streams=1)], 0.2)
