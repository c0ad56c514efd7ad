"""`cipherlens index`: put a folder of pictures into a collection, encrypted or as codes."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress as Bar
from rich.progress import TaskID

from cipherlens.client import (
    FolderIndexer,
    FolderReport,
    Progress,
    Skipped,
    Unavailable,
    Vanished,
    Waiting,
)
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, progress_bar, remark
from cipherlens.client.cli.documents import report_document
from cipherlens.client.cli.failure import INTERRUPTED, NO_SERVER, USAGE, CommandError
from cipherlens.client.cli.hash_network import HashNetworkPath, encoder_for
from cipherlens.client.cli.manifest import Manifests, manifest_folder
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.cli.tags import FromFile, Given, tags_of_pictures
from cipherlens.client.errors import CipherLensError, DeadlineExceeded
from cipherlens.client.folder.tally import FolderEvent
from cipherlens.client.folder.watching import changes

Seal = Annotated[
    bool, typer.Option("--seal/--no-seal", help="Store the original files too, sealed.")
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Delete items that have no file in the folder; asks first."),
]
ByTime = Annotated[
    bool,
    typer.Option(
        "--by-time",
        help="Do not read files whose size and time of change are as when they were sent.",
    ),
]
Watch = Annotated[
    float | None,
    typer.Option(
        "--watch",
        metavar="SECONDS",
        min=0.1,
        help="Go on: look at the folder so often, and index it again when it has changed.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be sent and deleted, and do neither.")
]

RESUME = "run the same command again to go on from there"


@connected
def index(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Where they go.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The pictures.")],
    keyring: options.KeyringPath,
    key: options.KeyName = None,
    model: HashNetworkPath = None,
    seal: Seal = True,
    tag: Given = None,
    tags: FromFile = None,
    prune: Prune = False,
    yes: options.Yes = False,
    readable_ids: options.ReadableIds = False,
    manifests: Manifests = None,
    by_time: ByTime = False,
    watch: Watch = None,
    dry_run: DryRun = False,
    device: options.Device = "auto",
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Encrypt and index a folder of pictures.

    For a collection of cipher-images the pictures are encrypted here, and stored and indexed on
    the server as ciphertext. For a collection of codes the owner's hash network, --model, makes
    the codes here; the server stores them beside the sealed originals.

    An item's name is its file's path within the folder. The server is given a keyed id in its
    place, and the name sealed; with --readable-ids it reads the path, as does whoever may list the
    collection. Only what is new or changed is sent, so an interrupted run goes on where it stopped.
    Files that cannot be read, are too large or no pictures are skipped, with a line for each.

    What was written and deleted is signed, in a manifest beside the keyring: 'search', 'item fetch'
    and 'decrypt' hold the server to it. What it does not list is sent again.

    --tag and --tags say what pictures can be found by, in place of what they are found by now;
    where neither is said, that stays. A picture whose tags change is sent again. The server has
    keyed tokens, and the tags sealed.

    --by-time is quicker where little has changed: what files were like is kept beside the manifest.
    It misses a file that has other content, the same size and the same time. With --tag or --tags
    all files are read.

    --watch goes on until it is interrupted, by time; it waits while files come or grow, and for a
    server that does not answer. With --prune it needs --yes.

    --prune names the items that have no file any more, and asks before it deletes them. More than
    half of a collection, which a wrong folder would cost, it deletes with --yes only.

    \b
    Examples:
      cipherlens index photos ~/photos --keyring my.keys
      cipherlens index photos ~/photos --keyring my.keys --prune --dry-run
      cipherlens index photos ~/photos --keyring my.keys --no-seal --json
      cipherlens index photos ~/photos --keyring my.keys --tag holiday --tags tags.csv
      cipherlens index photos ~/photos --keyring my.keys --watch 5
      cipherlens index codes ~/photos --keyring my.keys --model hash.sealed
    """
    if watch is not None and prune and not yes:
        raise CommandError("--watch cannot ask: --prune needs --yes with it", exit_code=USAGE)
    keys = open_keyring(keyring, passphrase_file)
    with server.client() as client, progress_bar() as bar:
        where = client.get_collection(collection)
        client.key = key_of(where, keys, key)
        shown = _Shown(bar, quiet=as_json)
        signed = manifest_folder(manifests, keyring)
        made = partial(
            FolderIndexer,
            client,
            where,
            folder,
            encoder=encoder_for(where, model, keys, device),
            seal=seal,
            prune=prune and shown.agreed_to(yes=yes),
            readable_ids=readable_ids,
            tags=tags_of_pictures(tag, tags),
            manifests=signed,
            by_time=signed.folder if by_time or watch is not None else None,
            dry_run=dry_run,
            on_event=shown.show,
        )
        if watch is None:
            report = _run(made(), bar, dry_run=dry_run, as_json=as_json)
        else:
            _watch(folder, watch, made, shown, dry_run=dry_run, as_json=as_json)
            return
    _print(report, complete=True, dry_run=dry_run, as_json=as_json)


def _run(indexer: FolderIndexer, bar: Bar, *, dry_run: bool, as_json: bool) -> FolderReport:
    """Return the report of one run; of one that was cut short it is printed here."""
    try:
        return indexer.run()
    except (KeyboardInterrupt, Unavailable, DeadlineExceeded) as error:
        bar.stop()
        _print(indexer.report, complete=False, dry_run=dry_run, as_json=as_json)
        if isinstance(error, CipherLensError):
            raise CommandError(error.message, hint=RESUME, exit_code=NO_SERVER) from error
        remark(f"interrupted: {RESUME}")
        raise typer.Exit(INTERRUPTED) from None


def _watch(
    folder: Path,
    every_s: float,
    made: Callable[[], FolderIndexer],
    shown: "_Shown",
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Index a folder whenever it has changed, until somebody interrupts."""
    try:
        for _ in changes(folder, every_s):
            while True:
                try:
                    report = made().run()
                    break
                except (Unavailable, DeadlineExceeded) as error:
                    shown.tell(f"no answer, tried again in {every_s:g} s: {error.message}")
                    time.sleep(every_s)
            shown.begin_again()
            _print(report, complete=True, dry_run=dry_run, as_json=as_json)
    except KeyboardInterrupt:
        remark("no longer watched")


class _Shown:
    """Shows a run as it goes on: a bar at a terminal, and a line for every file skipped."""

    def __init__(self, bar: Bar, *, quiet: bool) -> None:
        """Begin the bar; `quiet` leaves the lines to the JSON document."""
        self._bar = bar
        self._task: TaskID = bar.add_task("pictures", total=None)
        self._quiet = quiet

    def show(self, event: FolderEvent) -> None:
        """Show an event."""
        if isinstance(event, Progress):
            self._bar.update(self._task, completed=event.done, total=event.found)
        elif isinstance(event, Waiting):
            self.tell(f"waiting for the server: {event.reason}")
        elif isinstance(event, Skipped) and not self._quiet:
            self.tell(f"skipped {event.name}: {event.reason}")
        elif isinstance(event, Vanished):
            for name in event.names:
                self.tell(f"no file any more: {name}")

    def begin_again(self) -> None:
        """Set the bar back, for another run."""
        self._bar.reset(self._task, total=None)

    def agreed_to(self, *, yes: bool) -> Callable[[Vanished], bool]:
        """Return what asks whether items may be deleted; `yes` is the answer to all questions."""

        def agreed(vanished: Vanished) -> bool:
            count = f"{len(vanished.names)} of {vanished.stored_count} items"
            if vanished.are_most and not yes:
                raise CommandError(
                    f"--prune would delete {count}",
                    hint="if it is the right folder, --yes deletes more than half of a collection",
                    exit_code=USAGE,
                )
            self._bar.stop()
            options.confirm(f"delete {count}, which have no file any more?", yes=yes)
            self._bar.start()
            return True

        return agreed

    def tell(self, text: str) -> None:
        """Print a line above the bar, or plainly where there is none."""
        if self._bar.disable:
            remark(text)
        else:
            self._bar.console.print(text, soft_wrap=True)


def _print(report: FolderReport, *, complete: bool, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**report_document(report, complete=complete), "dry_run": dry_run})
        return
    to_be = "to be " if dry_run else ""
    parts = [
        f"{report.indexed} {to_be}indexed",
        f"{report.unchanged} unchanged",
        f"{len(report.skipped) - report.other_files} skipped",
    ]
    if report.pruned:
        parts.append(f"{report.pruned} {to_be}deleted")
    others = f"; {report.other_files} other files passed over" if report.other_files else ""
    typer.echo(f"{report.found} pictures found: {', '.join(parts)}{others}")
