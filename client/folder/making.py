"""What the pictures of a folder become: cipher-images under a key, or codes of a hash network."""

from collections.abc import Sequence

from cipherlens.base import Kind
from cipherlens.client.client import Client
from cipherlens.client.coding import CodeMaker, check_encoder, code_pictures
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Place
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.key_in_use import KeyInUse, check_key
from cipherlens.client.picture import PreparedPicture, encrypt_pictures
from cipherlens.crypto import NotGranted, PreparedSize


class Making:
    """Makes the items of one collection of pictures, in the pipeline that the collection is of.

    Attributes:
        key: seals the originals; in the cipher pipeline it encrypts too.
        size: that to which pictures are prepared.
        encoder_digest: 32 bytes, SHA-256 of the hash network; empty in the cipher pipeline.
    """

    def __init__(self, client: Client, where: Collection, encoder: CodeMaker | None) -> None:
        """Check that key, network and collection go together, before anything is sent.

        Raises:
            ValueError: they do not; names what is wrong.
            WrongKey: the collection is of another key.
            NotGranted: the key is a granted one.
        """
        if client.key is None:
            raise ValueError(
                "indexing pictures needs a key: make the client with Client(..., key=...)"
            )
        if not client.key.may_sign:
            raise NotGranted(f"key {client.key.name!r} was granted: the owner alone indexes")
        self.key = client.key
        self._in_use = KeyInUse(client.key)
        self._encoder = encoder
        self._where = where
        if encoder is None:
            _check_pictures(where)
            check_key(where, self.key)
        else:
            check_encoder(where, encoder)
        self.size: PreparedSize = self.key.parameters if encoder is None else encoder
        self.encoder_digest = b"" if encoder is None else bytes.fromhex(encoder.digest)

    def made(
        self, pictures: Sequence[PreparedPicture], places: Sequence[Place]
    ) -> Sequence[EncryptedPicture | CodedPicture]:
        """Return what the server is given of prepared pictures, one for each and its place."""
        if self._encoder is None:
            return encrypt_pictures(pictures, self.key, self._in_use.cipher, places)
        return code_pictures(pictures, self._encoder, self.key, places, self._where)


def _check_pictures(where: Collection) -> None:
    """Raise ValueError unless a collection is of cipher-images."""
    if where.kind is Kind.CODE:
        raise ValueError(
            f"collection {where.name!r} holds codes: say which hash network makes them of pictures"
        )
    if where.profile is None:
        raise ValueError(
            f"collection {where.name!r} holds items of kind {where.kind}, not pictures"
        )
