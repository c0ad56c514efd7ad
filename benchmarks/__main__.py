"""The door: `python -m benchmarks NAME|all|check|report [--profile quick|full|paper]`."""

import argparse
import subprocess
import sys
import time
from functools import partial

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.kept import keep
from benchmarks.harness.losses import confirmed_losses, guarded
from benchmarks.harness.machine import environment
from benchmarks.harness.places import RESULTS, TRIED
from benchmarks.harness.progress import say
from benchmarks.harness.ratios import Ratios
from benchmarks.harness.registry import PAPER, PROFILES, TRY, module_of, registered, with_profile
from benchmarks.report.plots import draw
from benchmarks.report.report import write_report
from benchmarks.report.tables import markdown
from cipherlens.model.errors import DataError

COMMANDS = {
    "all": "every benchmark but gpu in turn, each in a process of its own, then the report",
    "check": "measure the guarded ratios anew, beside the kept ones; fail on a clear loss",
    "report": "write REPORT.md from the raw figures, without measuring",
}

SCALE = f"""\
Both papers' tables with their own numbers, on Corel10K:

  COREL10K=PATH python -m benchmarks all --profile {PAPER}

runs, and goes on where it was stopped,

  {" ".join(with_profile(PAPER))}

PATH has 0.jpg to 9999.jpg. It is for a machine with GPUs, of which each trains a network.
Networks start from random weights and then from pretrained ones: WEIGHTS=random or
WEIGHTS=pretrained takes one of the two, PRETRAINED=FOLDER files of timm's weights where timm's hub
cannot be reached.
--profile {TRY} does all of it with a few pictures, to see that it would run, and keeps its figures
below build/tried."""


def main() -> int:
    """Do what was asked and return the exit code."""
    arguments = _arguments()
    if arguments.name == "report":
        print(f"report: {write_report()}")
        return 0
    if arguments.name == "all":
        return _measure_all(arguments.profile)
    if arguments.name == "check":
        return _check()
    if arguments.name not in (known := with_profile(arguments.profile)):
        say(f"{arguments.name} has no profile {arguments.profile}: {', '.join(known)} have")
        return 2
    try:
        _measure(arguments.name, arguments.profile)
    except (DataError, NotHereError) as error:  # pictures or programs that this machine lacks
        say(f"{arguments.name}: {error}")
        return 1
    return 0


def _measure(name: str, profile: str) -> None:
    """Run one benchmark, keep its raw figures, draw its plots and print its table."""
    started = time.monotonic()
    measured = module_of(name).run(profile)
    document = {
        "benchmark": name,
        "about": registered()[name].about,
        "profile": profile,
        **environment(),
        "duration_s": round(time.monotonic() - started, 1),
        **measured,
    }
    folder = TRIED if profile == TRY or "cut" in measured else RESULTS
    path = keep(document, folder)
    for plot_name, plot in measured.get("plots", {}).items():
        say(f"plot: {draw(plot_name, plot, folder / 'plots')}")
    print(markdown(name, measured["results"]))
    print(f"\nraw figures: {path}")


def _check() -> int:
    """Measure guarded ratios anew, keep nothing, and return 1 if one is clearly worse than kept."""
    lost = 0
    for name, ratios in guarded():
        say(f"==> {name}")
        found = confirmed_losses(ratios, partial(_fresh_ratios, name))
        for each in found:
            print(f"{name}: lost: {each}")
        lost += len(found)
    print(f"{lost or 'no'} clear losses")
    return 1 if lost else 0


def _fresh_ratios(name: str) -> Ratios:
    ratios: Ratios = module_of(name).run("quick")["ratios"]
    return ratios


def _measure_all(profile: str) -> int:
    """Run every benchmark and write the report; return 1 if one of them failed."""
    known = registered()
    names = [name for name in with_profile(profile) if not known[name].by_name_only]
    failed = []
    for number, name in enumerate(names, start=1):
        say(f"==> {name} ({number} of {len(names)})")
        command = [sys.executable, "-m", "benchmarks", name, "--profile", profile]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"report: {write_report()}")
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    choices = {name: each.about for name, each in registered().items()} | COMMANDS
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, keep the raw figures in benchmarks/results and print a table.",
        epilog="\n".join([*(f"  {name:18} {about}" for name, about in choices.items()), "", SCALE]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=choices, metavar="NAME", help="one of the names below")
    parser.add_argument("--profile", choices=(*PROFILES, TRY), default="quick")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
