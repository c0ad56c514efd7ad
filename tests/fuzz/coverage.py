"""A driver with coverage: atheris, that is libFuzzer over our instrumented bytecode.

    python -m tests.fuzz.coverage TARGET FINDINGS [options of libFuzzer] CORPUS

An input that fails is written to the folder FINDINGS, one for each place in our code, and the run
goes on. What ends the process, by time, memory or in native code, libFuzzer writes there itself.
"""

import signal
import sys
import traceback
from contextlib import ExitStack
from pathlib import Path
from random import Random

import atheris

from tests.fuzz.memory import bounded
from tests.fuzz.plain import place_of

# What a process may map beside what it has when it begins; torch alone maps some GB of it.
_MAP_BYTES = 8 * 2**30
_INPUT_S = 20
_BLINDLY = 0.15  # by libFuzzer's own changes, which know what comparisons look for
_ANEW = 0.1  # from a seed: those that differ in native code alone are not kept by coverage
_INSTRUMENTED = ["cipherlens", "PIL"]


class _TooLongError(Exception):
    """An input takes longer than any should."""


def _too_long(_number: int, _frame: object) -> None:
    raise _TooLongError


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    name, findings, *options = sys.argv[1:]
    from tests.fuzz.registry import opened  # which imports nothing of ours before it must

    with ExitStack() as stack:
        with atheris.instrument_imports(include=_INSTRUMENTED):
            target = stack.enter_context(opened(name))
        stack.enter_context(bounded(_MAP_BYTES))
        folder, corpus = Path(findings), Path(options[-1])
        for number, seed in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        seen: set[str] = set()

        signal.signal(signal.SIGVTALRM, _too_long)

        def one(data: bytes) -> None:
            # Of processor time: a machine may be busy with other things, or stand still.
            signal.setitimer(signal.ITIMER_VIRTUAL, _INPUT_S)
            try:
                target.attempt(data)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                place = place_of(error)
                if place not in seen:
                    seen.add(place)
                    kept = folder / place.replace("/", "_").replace(" ", "-")
                    kept.write_bytes(data)
                    kept.with_name(f"{kept.name}.txt").write_text(traceback.format_exc())
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)

        def mutate(data: bytes, most: int, seed: int) -> bytes:
            rng = Random(seed)
            if rng.random() < _BLINDLY:
                return atheris.Mutate(data, most)
            base = rng.choice(target.seeds) if rng.random() < _ANEW else data
            return target.mutate(base, rng)[:most]

        settings = [sys.argv[0], f"-max_len={target.most_bytes}", f"-artifact_prefix={folder}/"]
        atheris.Setup([*settings, *options], one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
