"""`cipherlens search`: find what is like a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from cipherlens.client import Client, CodeMaker, Collection, Hit, Hits, SearchOptions, make_codes
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, print_table, remark
from cipherlens.client.cli.documents import hit_document
from cipherlens.client.cli.failure import USAGE, CommandError, about
from cipherlens.client.cli.hash_network import HashNetworkPath, encoder_for
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.gallery import Gallery, GalleryHit, GalleryRow, write_gallery
from cipherlens.crypto import CryptoError, open_image


@connected
def search(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Where to look.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The query picture.")],
    keyring: options.KeyringPath,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="Hits wanted.")] = 20,
    key: options.KeyName = None,
    model: HashNetworkPath = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with the decrypted hits."),
    ] = None,
    nprobe: Annotated[
        int | None, typer.Option(min=1, help="Inverted lists to probe, where there are any.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every item.")] = False,
    device: options.Device = "auto",
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Find the pictures most like one.

    The query is encrypted here, or made into a code by the owner's hash network, --model, where
    the collection holds codes; the server ranks what it holds without seeing a picture. The names
    of the hits are opened here.

    The page of --html holds decrypted pictures: whoever can read it sees them.

    \b
    Examples:
      cipherlens search photos query.jpg --keyring my.keys
      cipherlens search photos query.jpg -k 50 --keyring my.keys --html hits.html
      cipherlens search photos query.jpg --keyring my.keys --json
      cipherlens search codes query.jpg --keyring my.keys --model hash.sealed
    """
    if html is not None and not html.parent.is_dir():
        raise CommandError(f"--html: there is no folder {html.parent}", exit_code=USAGE)
    with about(image):
        picture = open_image(image)
    keys = open_keyring(keyring, passphrase_file)
    options = SearchOptions(nprobe=nprobe, exact=exact)
    with server.client() as client:
        where = client.get_collection(collection)
        client.key = key_of(where, keys, key)
        encoder = encoder_for(where, model, keys, device)
        hits, seen = _found(
            client, where, picture, encoder, k, options, with_items=html is not None
        )
        names = client.item_names(where, hits.item_ids)
        if html is not None:
            write_gallery(html, _gallery(client, where.name, image, picture, seen, hits, names))
    _print(collection, image, hits, names, html, as_json=as_json)


def _found(
    client: Client,
    where: Collection,
    picture: Image.Image,
    encoder: CodeMaker | None,
    k: int,
    options: SearchOptions,
    *,
    with_items: bool,
) -> tuple[Hits, Image.Image | None]:
    """Return the hits, and the query as the server saw it where that is a picture."""
    if encoder is None:
        query = client.encrypt_query(picture)
        hits = client.search_image(where, query, k, with_items=with_items, options=options)
        return hits, query.view()
    trapdoors = make_codes([picture], encoder)
    (hits,) = client.search_codes(where, trapdoors, k, with_items=with_items, options=options)
    return hits, None


def _print(
    collection: str,
    image: Path,
    hits: Hits,
    names: Mapping[str, str],
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "collection": collection,
                "query": str(image),
                "sequence": hits.sequence,
                "generation": hits.generation,
                "html": None if html is None else str(html),
                "hits": [hit_document(hit, names.get(hit.item_id)) for hit in hits],
            }
        )
        return
    rows = [(hit.rank, _score(hit), names.get(hit.item_id, hit.item_id)) for hit in hits]
    print_table(("RANK#", "SIMILARITY#", "ITEM"), rows)
    if html is not None:
        remark(f"the decrypted hits are in {html}")


def _score(hit: Hit) -> str:
    if hit.similarity is not None:
        return f"{hit.similarity:.4f}"
    return f"{hit.distance} bits"


def _gallery(
    client: Client,
    collection: str,
    image: Path,
    picture: Image.Image,
    seen: Image.Image | None,
    hits: Hits,
    names: Mapping[str, str],
) -> Gallery:
    """Return the page of one search."""
    row = GalleryRow(
        label=image.name,
        picture=picture,
        seen=seen,
        hits=[_gallery_hit(client, hit, names.get(hit.item_id, hit.item_id)) for hit in hits],
    )
    lead = "Decrypted on this machine."
    if seen is not None:
        lead += " Point at a hit to see what the server holds of it."
    return Gallery(title=f"{image.name} in {collection}", lead=lead, rows=[row])


def _gallery_hit(client: Client, hit: Hit, label: str) -> GalleryHit:
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
    return GalleryHit(label=label, score=_score(hit), picture=picture, seen=seen, note=note)
