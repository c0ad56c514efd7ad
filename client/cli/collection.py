"""`cipherlens collection`: make, list, show and drop collections."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client import Collection, IndexChoice, Kind
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_facts, print_json, print_outcome, print_table
from cipherlens.client.cli.documents import collection_document
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.group import group
from cipherlens.client.cli.hash_network import HashNetworkPath, describe_network
from cipherlens.client.cli.passphrase import open_keyring
from cipherlens.crypto import Keyring

Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.")]

Dimension = Annotated[
    int | None, typer.Option(metavar="D", min=1, help="Numbers in a vector, for --kind vector.")
]
Bits = Annotated[
    int | None, typer.Option(metavar="B", min=1, help="Bits in a code, for --kind code.")
]
Index = Annotated[
    IndexChoice,
    typer.Option(
        help="How it is searched: flat compares with every item and is exact; ivf looks into "
        "some of many lists, hnsw (not for codes) follows a graph, and both find at least .99 "
        "of the hits; auto is the fastest, ivf from 2,000 vectors or 50,000 codes on."
    ),
]
Mask = Annotated[
    bool,
    typer.Option(
        "--mask/--no-mask",
        help="Put masks of the key over vectors or codes, where a keyring is given.",
    ),
]
IfAbsent = Annotated[
    bool,
    typer.Option("--if-absent", help="Take the one of the name, if it is there and the same."),
]

app = group("Make, list, show and drop collections.")


@app.command()
@connected
def create(
    name: Name,
    kind: Annotated[Kind, typer.Option(help="What it will hold.")],
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    dimension: Dimension = None,
    bits: Bits = None,
    model: HashNetworkPath = None,
    index: Index = IndexChoice.AUTO,
    mask: Mask = True,
    passphrase_file: options.PassphraseFile = None,
    if_absent: IfAbsent = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Make an empty collection.

    One of cipher-images is bound to a key for ever: it takes the key's public profile from the
    keyring, and the key itself stays here. One of codes may be bound to a hash network in the
    same way: --model takes the bits from it and tells the server its digest, so that 'index' and
    'search' refuse another network.

    With --keyring vectors and codes are masked: turned, or put into another order and flipped in
    part, by a secret of the key for this collection alone. Searches find the same, and who has the
    encoder or the network alone can do nothing with what the server holds. Without the key nobody
    can search it then.

    \b
    Examples:
      cipherlens collection create photos --kind cipher --keyring my.keys
      cipherlens collection create faces --kind vector --dimension 768 --index hnsw
      cipherlens collection create hashes --kind code --bits 48 --keyring my.keys
      cipherlens collection create hashes --kind code --model hash.sealed --keyring my.keys
      cipherlens collection create photos --kind cipher --keyring my.keys --if-absent
    """
    _check_options(kind, keyring, dimension, bits, model)
    keys = Keyring() if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        if kind is Kind.CIPHER or (keyring is not None and mask):
            client.key = keys.get(key)
        digest = b""
        if model is not None:
            bits, digest = describe_network(model, keys)
        if kind is Kind.CIPHER:
            made = client.create_cipher_collection(name, index=index, if_absent=if_absent)
        elif dimension is not None:
            made = client.create_vector_collection(
                name, dimension, index=index, if_absent=if_absent
            )
        else:
            made = client.create_code_collection(
                name, bits or 0, encoder_digest=digest, index=index, if_absent=if_absent
            )
    _print(made, as_json=as_json)


@app.command("list")
@connected
def list_(server: Connection = LOCAL, as_json: options.Json = False) -> None:
    """List all collections.

    \b
    Examples:
      cipherlens collection list
      cipherlens collection list --server 10.0.0.5:50051 --json
    """
    with server.client() as client:
        found = client.list_collections()
    if as_json:
        print_json({"collections": [collection_document(each) for each in found]})
        return
    rows = [
        (each.name, each.kind, each.item_count, _length(each), each.index.kind) for each in found
    ]
    print_table(("NAME", "KIND", "ITEMS#", "LENGTH#", "INDEX"), rows)


@app.command()
@connected
def show(name: Name, server: Connection = LOCAL, as_json: options.Json = False) -> None:
    """Show one collection: what it holds and how it is searched.

    \b
    Example:
      cipherlens collection show photos
    """
    with server.client() as client:
        found = client.get_collection(name)
    _print(found, as_json=as_json)


@app.command()
@connected
def drop(
    name: Name,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Remove a collection with all its items; it cannot be undone.

    \b
    Example:
      cipherlens collection drop photos
      cipherlens collection drop photos --dry-run
    """
    with server.client() as client:
        count = client.get_collection(name).item_count
        options.confirm(f"drop {name!r} with its {count} items?", yes=yes or dry_run)
        if not dry_run:
            client.delete_collection(name)
    told = f"collection {name!r} and its {count} items {'would be' if dry_run else 'are'} gone"
    document = {"dropped": name, "item_count": count, "dry_run": dry_run}
    print_outcome(document, told, as_json=as_json)


def _check_options(
    kind: Kind, keyring: Path | None, dimension: int | None, bits: int | None, model: Path | None
) -> None:
    """Raise CommandError unless the options are those of the kind."""
    opens_model = kind is Kind.CODE and model is not None
    if kind is Kind.CIPHER and keyring is None:
        raise CommandError(f"--kind {kind} needs --keyring", exit_code=USAGE)
    for value, option, owner in (
        (dimension, "--dimension", Kind.VECTOR),
        (model if bits is None else bits, "--bits or --model", Kind.CODE),
    ):
        if (value is not None) != (kind is owner):
            problem = "needs" if kind is owner else "does not take"
            raise CommandError(f"--kind {kind} {problem} {option}", exit_code=USAGE)
    if opens_model and bits is not None:
        raise CommandError("--model brings the bits: leave --bits out", exit_code=USAGE)


def _print(collection: Collection, *, as_json: bool) -> None:
    if as_json:
        print_json(collection_document(collection))
        return
    index = collection.index
    facts: list[tuple[str, object]] = [
        ("name", collection.name),
        ("uuid", collection.uuid),
        ("kind", collection.kind),
        ("length", _length(collection)),
        ("items", collection.item_count),
        ("damaged", collection.damaged_count),
        ("sequence", collection.sequence),
        ("index", f"{index.kind or 'none yet'} {index.device}".strip()),
        ("asked for", collection.index_choice),
        ("made", f"{collection.created_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if collection.mask_id:
        facts.append(("mask", collection.mask_id.partition(":")[0]))
    if index.nlist:
        facts.append(("lists", f"{index.nlist}, {index.nprobe} probed"))
    print_facts(facts + _profile_facts(collection))


def _profile_facts(collection: Collection) -> list[tuple[str, object]]:
    """Return what a cipher collection is bound to, and its models."""
    if collection.profile is None:
        return []
    profile = collection.profile
    facts: list[tuple[str, object]] = [
        ("key", profile.key_fingerprint.hex()),
        ("scope", profile.scope),
        ("size", f"{profile.height}x{profile.width}"),
        ("blocks", f"P={profile.block_size} M={profile.substituted_blocks}"),
    ]
    model = (
        "none yet: push one" if collection.active is None else collection.active.model_digest.hex()
    )
    facts.append(("model", model))
    if collection.shadow is not None:
        done = f"{collection.shadow.item_count} of {collection.item_count}"
        facts.append(("next model", f"{collection.shadow.model_digest.hex()}, {done} embedded"))
    return facts


def _length(collection: Collection) -> str:
    if collection.kind is Kind.CODE:
        return f"{collection.bits} bits"
    return str(collection.dimension or "-")
