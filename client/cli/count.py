"""`cipherlens count`: how many items there are, or how many have some tags."""

from typing import Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_outcome
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.cli.tags import AllOf, AnyOf, NoneOf, tag_filter


@connected
def count(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="What is counted.")],
    tag: AllOf = None,
    any_tag: AnyOf = None,
    no_tag: NoneOf = None,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Count the items that searches find, or those of them that have some tags.

    Tags need the keyring: the server is given keyed tokens in their place.

    \b
    Examples:
      cipherlens count photos
      cipherlens count photos --tag holiday --no-tag private --keyring my.keys
    """
    tags = tag_filter(tag, any_tag, no_tag)
    if tags and keyring is None:
        raise CommandError(
            "tags need --keyring: the server knows them by keyed tokens alone", exit_code=USAGE
        )
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        if tags and keys is not None:
            client.key = key_of(where, keys, key)
        counted = client.count(where, tags)
    print_outcome({"collection": collection, "count": counted}, str(counted), as_json=as_json)
