"""What is printed hides nothing: a server may send anything as a name or the text of an error."""

import json

import pytest

from cipherlens.client.cli import console
from cipherlens.client.cli.failure import Failure, report

HOSTILE = "a\x1b]0;title\x07\x9b31m\u202egnp\x7f\r"
SHOWN = r"a\u001b]0;title\u0007\u009b31m\u202egnp\u007f\u000d"


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    return out + err


def test_tables_and_lines_show_what_a_terminal_would_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for how in (
        lambda: console.print_table(["name"], [[HOSTILE]]),
        lambda: console.print_facts([("name", HOSTILE)]),
        lambda: console.remark(HOSTILE),
        lambda: console.print_outcome({}, HOSTILE, as_json=False),
        lambda: report(Failure(message=HOSTILE, hint=HOSTILE, exit_code=1), as_json=False),
    ):
        how()
        text = printed(capsys)
        assert SHOWN in text
        assert all(line.isprintable() for line in text.splitlines())


def test_json_is_the_same_text_without_what_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": HOSTILE})
    report(Failure(message=HOSTILE, hint="", exit_code=1), as_json=True)
    lines = printed(capsys).splitlines()
    assert json.loads(lines[0]) == {"name": HOSTILE}
    assert json.loads(lines[1])["error"] == HOSTILE
    assert all(line.isprintable() for line in lines)


def test_lines_and_letters_of_all_scripts_stay() -> None:
    text = "ü 日本 שלום \U0001f468\u200d\U0001f469\n\tsecond"
    assert console.visible(text) == text
