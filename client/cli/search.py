"""`cipherlens search`: find what is like a picture."""

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from cipherlens.client import Client, Hit, Hits, SearchOptions
from cipherlens.client.channel import DEFAULT_TARGET
from cipherlens.client.cli.console import print_json, print_table, remark
from cipherlens.client.cli.documents import hit_document
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.options import Json, KeyName, KeyringPath, PassphraseFile, Server
from cipherlens.client.cli.passphrase import open_key
from cipherlens.client.gallery import Gallery, GalleryHit, GalleryRow, write_gallery
from cipherlens.crypto import CipherImage, CryptoError, open_image


def add_to(root: typer.Typer) -> None:
    """Add this command to the program."""
    root.command("search")(search)


def search(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="A cipher collection.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The query picture.")],
    keyring: KeyringPath,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="Hits wanted.")] = 20,
    key: KeyName = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with the decrypted hits."),
    ] = None,
    nprobe: Annotated[
        int | None, typer.Option(min=1, help="Inverted lists to probe, where there are any.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every item.")] = False,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Find the pictures most like one.

    The query is encrypted here; the server ranks what it holds without seeing either.

    The page of --html holds decrypted pictures: whoever can read it sees them.

    \b
    Examples:
      cipherlens search photos query.jpg --keyring my.keys
      cipherlens search photos query.jpg -k 50 --keyring my.keys --html hits.html
      cipherlens search photos query.jpg --keyring my.keys --json
    """
    if html is not None and not html.parent.is_dir():
        raise CommandError(f"--html: there is no folder {html.parent}", exit_code=USAGE)
    entry = open_key(keyring, key, passphrase_file)
    options = SearchOptions(nprobe=nprobe, exact=exact)
    with Client(server, key=entry) as client:
        query = _encrypted(client, image)
        hits = client.search_image(
            collection, query, k, with_items=html is not None, options=options
        )
        if html is not None:
            write_gallery(html, _gallery(client, collection, image, query, hits))
    _print(collection, image, hits, html, as_json=as_json)


def _encrypted(client: Client, image: Path) -> CipherImage:
    """Return the encrypted query.

    Raises:
        CommandError: the file is no picture that can be read.
    """
    try:
        return client.encrypt_query(image)
    except CryptoError as error:
        raise CommandError(f"{image}: {error}") from error


def _print(collection: str, image: Path, hits: Hits, html: Path | None, *, as_json: bool) -> None:
    """Print the hits."""
    if as_json:
        print_json(
            {
                "collection": collection,
                "query": str(image),
                "sequence": hits.sequence,
                "generation": hits.generation,
                "html": None if html is None else str(html),
                "hits": [hit_document(hit) for hit in hits],
            }
        )
        return
    rows = [(hit.rank, _score(hit), hit.item_id) for hit in hits]
    print_table(("RANK#", "SIMILARITY#", "ITEM"), rows)
    if html is not None:
        remark(f"the decrypted hits are in {html}")


def _score(hit: Hit) -> str:
    """Return how near a hit is."""
    if hit.similarity is not None:
        return f"{hit.similarity:.4f}"
    return f"{hit.distance} bits"


def _gallery(
    client: Client, collection: str, image: Path, query: CipherImage, hits: Hits
) -> Gallery:
    """Return the page of one search."""
    row = GalleryRow(
        label=image.name,
        picture=open_image(image),
        seen=query.view(),
        hits=[_gallery_hit(client, hit) for hit in hits],
    )
    return Gallery(
        title=f"{image.name} in {collection}",
        lead="Decrypted on this machine. Point at a hit to see what the server holds of it.",
        rows=[row],
    )


def _gallery_hit(client: Client, hit: Hit) -> GalleryHit:
    """Return a hit decrypted, or why it is not."""
    picture: Image.Image | None = None
    seen: Image.Image | None = None
    note = "" if hit.item else "no longer there, or damaged"
    if hit.item is not None:
        try:
            picture = open_image(client.restore(hit.item).data)
        except (CryptoError, ValueError) as error:
            note = str(error)
        if hit.item.cipher_image is not None:
            seen = hit.item.cipher_image.view()
    return GalleryHit(label=hit.item_id, score=_score(hit), picture=picture, seen=seen, note=note)
