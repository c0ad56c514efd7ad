"""`cipherlens grant`: give users parts of a key, list what was given, end it."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cipherlens.base import replace_file
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, print_outcome, print_table, remark
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.group import group
from cipherlens.client.cli.passphrase import open_keyring, owner_key_of
from cipherlens.client.grant_log import GrantLog, GrantRecord
from cipherlens.crypto import Grant, Rights, recipient_from

app = group("Give users parts of a key, list what was given, end it.")


def _expiry(text: str | None) -> datetime | None:
    """Return the moment of a date, or of a number of days such as "90d" from now."""
    if text is None:
        return None
    try:
        if text.endswith("d"):
            return datetime.now(UTC) + timedelta(days=int(text[:-1]))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"it must be a date such as 2027-12-31, or days such as 90d, got {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@app.command()
@connected
def new(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="What it is for.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="RECIPIENT", help="The user's public key: 'keys identity show' tells."
        ),
    ],
    keyring: options.KeyringPath,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the grant goes.")],
    key: options.KeyName = None,
    may_open: Annotated[
        bool, typer.Option("--open", help="Let the user open sealed originals too.")
    ] = False,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DATE|DAYSd",
            help="When it shall end. Honest programs heed it; nothing forces one to.",
        ),
    ] = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Give one user what a search of one collection takes, and nothing that signs.

    The file is encrypted to the user's public key and signed; he adds it with 'keys import'. It may
    travel as any file: nobody else can open it.

    For cipher-images it holds the key of the image cipher, which is one for all collections of the
    key and also decrypts cipher-images: what he shall not see belongs under another key. For codes
    it holds the key that opens sealed hash networks. With --open it holds the key that opens the
    sealed originals of this collection alone.

    \b
    Examples:
      cipherlens grant new photos --to clr1... --keyring my.keys --out anna.grant
      cipherlens grant new photos --to clr1... --keyring my.keys --open --expires 90d --out b.grant
    """
    recipient, expires_at = recipient_from(to), _expiry(expires)
    if out.exists():
        raise CommandError(f"{out} is there already", exit_code=USAGE)
    ring = open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
    entry = owner_key_of(where, ring, key)
    rights = Rights.OPEN if may_open else Rights.SEARCH
    grant = Grant.make(entry, recipient, where.uuid, where.kind, rights, expires_at)
    log = GrantLog(keyring)
    log.granted(grant, where)
    replace_file(out, grant.data)
    document = {"grant": str(out), "log": str(log.path), **_public(grant)}
    told = f"{out} lets {to} {rights.value} {where.name!r}: grant {grant.grant_id}"
    print_outcome(document, told, as_json=as_json)


@app.command("list")
def list_(keyring: options.KeyringPath, as_json: options.Json = False) -> None:
    """List what was granted under the keys of a keyring, from the log beside it.

    \b
    Example:
      cipherlens grant list --keyring my.keys
    """
    records, now = GrantLog(keyring).records(), datetime.now(UTC)
    if as_json:
        print_json({"grants": [_document(each, now) for each in records]})
        return
    columns = ("GRANT", "COLLECTION", "RIGHTS", "RECIPIENT", "MADE", "EXPIRES", "STATE")
    print_table(columns, [_row(each, now) for each in records])


@app.command()
def end(
    grant_id: Annotated[
        str, typer.Argument(metavar="GRANT", help="Its id, or the beginning of it.")
    ],
    keyring: options.KeyringPath,
    as_json: options.Json = False,
) -> None:
    """Note that a grant is ended, and say what that takes.

    A key that somebody has cannot be taken back. Ending a grant is a note of yours: its holder can
    still do all that he could, until 'keys rotate' has brought the collection under another key.
    From then on his key neither searches it nor opens what is in it. What he has copied before
    stays readable to him.

    \b
    Example:
      cipherlens grant end 7f3a --keyring my.keys
    """
    record = GrantLog(keyring).end(grant_id)
    document = {"ended": record.grant_id, "collection": record.collection}
    print_outcome(document, f"grant {record.grant_id} is noted as ended", as_json=as_json)
    remark(
        f"its holder can still use it, until 'keys rotate {record.collection}' has brought the "
        "collection under another key; what he has copied stays readable to him"
    )


def _public(grant: Grant) -> dict[str, Any]:
    return {
        "grant_id": str(grant.grant_id),
        "collection_uuid": str(grant.collection_uuid),
        "fingerprint": grant.fingerprint.hex(),
        "verify_key": grant.verify_key.hex(),
        "rights": grant.rights.value,
        "expires_at": grant.expires_at and grant.expires_at.isoformat(),
    }


def _document(record: GrantRecord, now: datetime) -> dict[str, Any]:
    moments = {
        name: value and value.isoformat()
        for name, value in asdict(record).items()
        if name.endswith("_at")
    }
    return {**asdict(record), **moments, "state": record.state(now)}


def _row(record: GrantRecord, now: datetime) -> tuple[object, ...]:
    expires = f"{record.expires_at:%Y-%m-%d}" if record.expires_at else "never"
    return (
        record.grant_id,
        record.collection,
        record.rights,
        record.recipient,
        f"{record.made_at:%Y-%m-%d}",
        expires,
        record.state(now),
    )
