"""`cipherlens gallery`: a collection in a browser, on this machine."""

import contextlib
import signal
from typing import Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import remark
from cipherlens.client.cli.hash_network import HashNetworkPath, encoder_for
from cipherlens.client.cli.manifest import Manifests, manifest_folder
from cipherlens.client.cli.passphrase import key_of, open_keyring


@connected
def gallery(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="What to look through.")],
    keyring: options.KeyringPath,
    key: options.KeyName = None,
    model: HashNetworkPath = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 takes a free port.")
    ] = 0,
    manifests: Manifests = None,
    device: options.Device = "auto",
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
) -> None:
    """Look through a collection in a browser, on this machine.

    Prints the address of a page that only this machine reaches, and serves it until Ctrl-C: page
    through the collection, search by a picture that you drop or by an item, see what the server has
    beside what you see, filter by tags, upload a folder, download originals.

    Pictures are encrypted and decrypted in this process, and leave it to your browser alone. The
    address holds a token: who has it sees what you see. A collection of codes needs the owner's
    hash network, --model.

    Items are held to the owner's manifest, if one is known here, and what is uploaded is signed in
    it, as 'index' does.

    \b
    Examples:
      cipherlens gallery photos --keyring my.keys
      cipherlens gallery codes --keyring my.keys --model hash.sealed --port 8080
    """
    from cipherlens.client.web.album import Album
    from cipherlens.client.web.listening import listen

    keys = open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        client.key = key_of(where, keys, key)
        encoder = None if model is None else encoder_for(where, model, keys, device)
        album = Album(client, where, manifest_folder(manifests, keyring))
        album.refresh()
        listening = listen(album, encoder, port)
        typer.echo(listening.address)
        remark("Open this address in a browser of this machine; Ctrl-C ends it.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            listening.run()
