"""The page of commands is what the program says, and leaves out none of its exit codes."""

from cipherlens.client.cli import failure
from tests.docs import commands


def test_the_page_is_what_the_program_says() -> None:
    """If not: `python -m tests.docs.commands`."""
    assert commands.PAGE.read_text() == commands.page()


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code, _ in commands.codes()}
    used = {each.exit_code for each in commands.told()}
    used |= {code for _, code, _ in commands.advice()} | {failure.SUCCESS, failure.INTERRUPTED}
    assert used == explained


def test_messages_are_found_where_they_are_told() -> None:
    assert (
        commands.Told(
            "count", "tags need --keyring: the server knows them by keyed tokens alone", 2
        )
        in commands.told()
    )
    assert len(commands.commands()) > 40
