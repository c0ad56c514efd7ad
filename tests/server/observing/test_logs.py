import io
import json
import logging
import warnings

import pytest

from cipherlens.server.config import LogSettings
from cipherlens.server.observing import SeenCall
from cipherlens.server.observing.logs import Bound, LinesPerSecond, set_up_logs

log = logging.getLogger("cipherlens.tests")


@pytest.fixture
def logged():
    """Return a function that sets logs up and gives the stream that they go to."""
    root, ours = logging.getLogger(), logging.getLogger("cipherlens")
    before = root.handlers[:], root.level, ours.level

    def set_up(**settings):
        for each in root.handlers[:]:
            root.removeHandler(each)
        stream = io.StringIO()
        set_up_logs(LogSettings(**settings), stream)
        return stream

    yield set_up
    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)
    logging.captureWarnings(capture=False)


def test_a_line_of_json_tells_time_level_place_message_and_fields(logged):
    stream = logged(format="json")
    log.info("it is %s", 'a "word"\nand more', extra={"fields": {"code": "OK", "n": 3}})
    (line,) = stream.getvalue().splitlines()
    document = json.loads(line)
    assert document.pop("time").endswith("+00:00")
    assert document == {
        "level": "info",
        "logger": "cipherlens.tests",
        "message": 'it is a "word"\nand more',
        "code": "OK",
        "n": 3,
    }


def test_a_field_of_a_text_line_cannot_begin_another_line(logged):
    stream = logged()
    log.info("call", extra={"fields": {"code": "OK", "request_id": "a\nb"}})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r'INFO call code="OK" request_id="a\nb"')


@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_within_a_call_have_its_request_id(logged, form):
    stream = logged(format=form)
    with SeenCall("Service", "Search", "id-7"):
        log.warning("odd")
    log.warning("later")
    within, after = stream.getvalue().splitlines()
    assert "id-7" in within
    assert "id-7" not in after


def test_a_failure_keeps_its_traceback(logged):
    stream = logged(format="json")
    try:
        raise ValueError("what it was")
    except ValueError:
        log.exception("failed")
    assert "ValueError: what it was" in json.loads(stream.getvalue())["traceback"]


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 2), ("error", 1)])
def test_levels_leave_out_what_is_below(logged, level, lines):
    stream = logged(level=level)
    log.debug("a")
    log.info("b")
    log.error("c")
    assert len(stream.getvalue().splitlines()) == lines


def test_a_flood_of_one_kind_is_bounded_and_counted_and_others_pass(logged, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("cipherlens.server.observing.logs.time.monotonic", lambda: clock[0])
    stream = logged(format="json", lines_per_s=3)

    def flood():
        for number in range(10):
            log.warning("bad call %d", number)

    flood()
    log.warning("another kind")
    clock[0] += 1
    flood()
    documents = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["message"] for each in documents] == [
        *("bad call 0", "bad call 1", "bad call 2", "another kind"),
        *("bad call 0", "bad call 1", "bad call 2"),
    ]
    assert [each.get("left_out") for each in documents] == [None] * 4 + [7, None, None]


def test_calls_that_end_together_share_what_a_second_has(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("cipherlens.server.observing.logs.time.monotonic", lambda: clock[0])
    lines = LinesPerSecond(5)
    assert [lines.take(3), lines.take(4), lines.take(2)] == [(3, 0), (2, 0), (0, 0)]
    clock[0] += 1
    assert [lines.take(2), lines.take()] == [(2, 4), (1, 0)]


def test_kinds_are_places_in_the_code_so_that_callers_cannot_make_new_ones():
    bound = Bound(1)
    record = logging.LogRecord("a", 20, "f.py", 1, "caller says %s", ("x",), None)
    other = logging.LogRecord("a", 20, "f.py", 1, "caller says something else", (), None)
    assert [bound.filter(record), bound.filter(other)] == [True, False]


def test_what_libraries_warn_of_is_logged_and_bounded(logged):
    """Pillow warns of odd pictures, which may be anybody's, and past the log they had no bound."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = logged(format="json", lines_per_s=2)
        for number in range(5):
            warnings.warn(f"odd picture {number}\n", stacklevel=1)
    lines = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert ["odd picture" in each["message"] for each in lines] == [True, True]
    assert {(each["level"], each["logger"]) for each in lines} == {("warning", "py.warnings")}
