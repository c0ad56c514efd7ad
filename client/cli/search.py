"""`cipherlens search`: find what is like a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from cipherlens.client import (
    BlindedFilter,
    Client,
    Collection,
    Hit,
    Hits,
    ItemView,
    PermissionDenied,
    SearchOptions,
    TagFilter,
    Tagging,
)
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, print_table, remark
from cipherlens.client.cli.documents import hit_document
from cipherlens.client.cli.failure import NOT_GENUINE, USAGE, CommandError
from cipherlens.client.cli.hash_network import HashNetworkPath
from cipherlens.client.cli.manifest import MANIFEST_HINT, NEWER_HINT, Manifests, known_manifest
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.cli.query import Asked, Query, asked_by, hits_of, query_of
from cipherlens.client.cli.tags import AllOf, AnyOf, NoneOf, tag_filter
from cipherlens.client.gallery import Gallery, GalleryHit, GalleryRow, write_gallery
from cipherlens.client.verification import (
    kept_ids,
    problems_of_hits,
    problems_of_presence,
    problems_of_ranking,
    without_known_tags,
)
from cipherlens.crypto import (
    CipherImage,
    CryptoError,
    Manifest,
    NotGenuine,
    NotGranted,
    open_image,
)

QueryPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="IMAGE",
        help="The query: a picture, a .cimg that 'encrypt' wrote, or a vector or code in .npy; "
        "- is one of them on standard input.",
    ),
]
Like = Annotated[
    str | None,
    typer.Option("--like", metavar="NAME", help="An item of the collection as the query."),
]
Page = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with the decrypted hits."),
]
Nprobe = Annotated[
    int | None, typer.Option(min=1, help="Inverted lists to probe, where there are any.")
]


@connected
def search(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Where to look.")],
    keyring: options.KeyringPath,
    image: QueryPath = None,
    like: Like = None,
    readable_ids: options.ReadableIds = False,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="Hits wanted.")] = 20,
    key: options.KeyName = None,
    model: HashNetworkPath = None,
    tag: AllOf = None,
    any_tag: AnyOf = None,
    no_tag: NoneOf = None,
    html: Page = None,
    nprobe: Nprobe = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Fetch all codes, of --tag those that the manifest lists with it, and rank them "
            "here too; finds omitted hits and false scores.",
        ),
    ] = False,
    manifests: Manifests = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every item.")] = False,
    device: options.Device = "auto",
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Find the pictures most like one.

    The query is encrypted here, or made into a code by the owner's hash network, --model, where
    the collection holds codes; the server ranks what it holds without seeing a picture. The names
    of the hits are opened here; who may not fetch them, or was not granted to open, sees ids.

    Hits are held to the owner's manifest, if one is known here; what it shows to be wrong is said,
    with exit code 5. --verify compares with every item, on the server and here, which takes the
    collection's codes and a manifest; a ranking of cipher-images is the model's, and only what is
    there can be verified of it.

    --tag, --any-tag and --no-tag say which items may be hits; the server is given keyed tokens in
    their place. The manifest tells which items have them, and how many hits there must be.

    The page of --html holds decrypted pictures: whoever can read it sees them.

    \b
    Examples:
      cipherlens search photos query.jpg --keyring my.keys
      cipherlens search photos query.jpg -k 50 --keyring my.keys --html hits.html
      cipherlens search photos query.jpg --keyring my.keys --tag holiday --no-tag private
      cipherlens search photos query.jpg --keyring my.keys --json
      cipherlens search photos --like holidays/beach.jpg --keyring my.keys
      cipherlens search codes query.jpg --keyring my.keys --model hash.sealed
    """
    asked = _asked(image, like, html)
    keys = open_keyring(keyring, passphrase_file)
    tags = tag_filter(tag, any_tag, no_tag)
    options = SearchOptions(nprobe=nprobe, exact=exact or verify, tags=tags)
    with server.client() as client:
        where = client.get_collection(collection)
        client.key = key_of(where, keys, key)
        manifest = known_manifest(manifests, keyring, where.uuid, client.key)
        if verify:
            _check_verifiable(manifest, tags)
        blinded = Tagging(client.key, where.uuid).asked(tags) if tags else None
        query = query_of(client, where, asked, model, keys, device, readable_ids=readable_ids)
        hits = hits_of(client, where, query, k, options, with_items=html is not None)
        problems = [] if manifest is None else problems_of_hits(hits, manifest, k, blinded)
        if verify and manifest is not None:
            problems += _verified(client, where, query, hits, manifest, k, blinded)
        names = _names(client, where, hits)
        if html is not None and asked.picture is not None:
            shown = [_shown(client, hit, names.get(hit.item_id, ""), manifest) for hit in hits]
            problems += [
                f"item {each.label!r}: {each.note}" for each, genuine in shown if not genuine
            ]
            row = GalleryRow(
                label=asked.label,
                picture=asked.picture,
                seen=query.view() if isinstance(query, CipherImage) else None,
                hits=[each for each, _ in shown],
            )
            write_gallery(html, _gallery(f"{asked.label} in {where.name}", row))
    _print(collection, str(image or like), hits, names, html, problems, as_json=as_json)
    if problems:
        raise typer.Exit(NOT_GENUINE)


def _asked(image: Path | None, like: str | None, html: Path | None) -> Asked:
    """Return what is asked. Raises CommandError if no page can be made of it, where one is."""
    if html is not None and not html.parent.is_dir():
        raise CommandError(f"--html: there is no folder {html.parent}", exit_code=USAGE)
    asked = asked_by(image, like)
    if html is not None and asked.picture is None:
        raise CommandError("--html shows a picture and its hits: name one", exit_code=USAGE)
    return asked


def _names(client: Client, where: Collection, hits: Hits) -> Mapping[str, str]:
    """Return the names of hits by id; none where the caller may search and not fetch or open."""
    try:
        return client.item_names(where, hits.item_ids)
    except (PermissionDenied, NotGranted):
        return {}


def _check_verifiable(manifest: Manifest | None, tags: TagFilter) -> None:
    """Raise CommandError unless a manifest tells what a search with these tags must find."""
    if manifest is None:
        raise CommandError("--verify needs the owner's manifest", hint=MANIFEST_HINT)
    unknown = without_known_tags(manifest) if tags else 0
    if unknown:
        raise CommandError(
            f"--verify: manifest {manifest.counter} does not say which tags {unknown} items have",
            hint="'manifest sign' lists the tags of all",
        )


def _verified(
    client: Client,
    where: Collection,
    query: Query,
    hits: Hits,
    manifest: Manifest,
    k: int,
    blinded: BlindedFilter | None,
) -> list[str]:
    """Return what is wrong by all that the manifest lists, which the server must still have."""
    ids = kept_ids(manifest, blinded)
    if isinstance(query, CipherImage):
        return problems_of_presence(client.fetch(where, ids, view=ItemView.HEAD), manifest)
    stored = client.fetch(where, ids, view=ItemView.CONTENT)
    return problems_of_ranking(query[0], hits, stored, manifest, k)


def _print(
    collection: str,
    query: str,
    hits: Hits,
    names: Mapping[str, str],
    html: Path | None,
    problems: Sequence[str],
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "collection": collection,
                "query": query,
                "sequence": hits.sequence,
                "generation": hits.generation,
                "html": None if html is None else str(html),
                "problems": problems,
                "hits": [hit_document(hit, names.get(hit.item_id)) for hit in hits],
            }
        )
        return
    rows = [(hit.rank, _score(hit), names.get(hit.item_id, hit.item_id)) for hit in hits]
    print_table(("RANK#", "SIMILARITY#", "ITEM"), rows)
    if html is not None:
        remark(f"the decrypted hits are in {html}")
    for problem in problems:
        remark(f"not what the owner stored: {problem}")
    if problems:
        remark(f"  {NEWER_HINT}")


def _score(hit: Hit) -> str:
    if hit.similarity is not None:
        return f"{hit.similarity:.4f}"
    return f"{hit.distance} bits"


def _gallery(title: str, row: GalleryRow) -> Gallery:
    """Return the page of one search."""
    lead = "Decrypted on this machine."
    if row.seen is not None:
        lead += " Point at a hit to see what the server holds of it."
    return Gallery(title=title, lead=lead, rows=[row])


def _shown(
    client: Client, hit: Hit, name: str, manifest: Manifest | None
) -> tuple[GalleryHit, bool]:
    """Return a hit decrypted, or why it is not, and whether it can be what the owner stored."""
    picture: Image.Image | None = None
    seen: Image.Image | None = None
    note, genuine = "" if hit.item else "no longer there, or damaged", True
    if hit.item is not None:
        try:
            picture = open_image(client.restore(hit.item, manifest=manifest).data)
        except (CryptoError, ValueError) as error:
            note, genuine = str(error), not isinstance(error, NotGenuine)
        if hit.item.cipher_image is not None:
            seen = hit.item.cipher_image.view()
    label = name or hit.item_id
    made = GalleryHit(label=label, score=_score(hit), picture=picture, seen=seen, note=note)
    return made, genuine
