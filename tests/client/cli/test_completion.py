"""What shells are told to complete."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.cli.conftest import Run

PROGRAM = Path(sys.executable).with_name("cipherlens")


def completed(environment: dict[str, str]) -> str:
    asked = {"_CIPHERLENS_COMPLETE": "complete_bash", "PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run([PROGRAM], env=asked, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "number", "expected"),
    [
        ("cipherlens sea", "1", ["search"]),
        ("cipherlens item ", "2", ["list", "fetch", "delete"]),
        ("cipherlens search photos --no", "3", ["--no-tag"]),
        ("cipherlens collection create --kind v", "4", ["vector"]),
    ],
)
def test_commands_options_and_values(line: str, number: str, expected: list[str]) -> None:
    found = completed({"COMP_WORDS": line, "COMP_CWORD": number}).split()
    assert [each for each in expected if each not in found] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_that_asks_the_program(run: Run, shell: str) -> None:
    script = run("completion", shell).out
    assert f"_CIPHERLENS_COMPLETE=complete_{shell}" in script
    assert run("completion", "csh").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_by_the_script(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").out)
    asked = (
        f". {script}; COMP_WORDS=(cipherlens se); COMP_CWORD=1; "
        f"PATH={PROGRAM.parent}:$PATH; _cipherlens_completion cipherlens; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["search", "serve"]
