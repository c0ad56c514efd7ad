"""The owner's hash network: makes codes of query pictures for those who do not hold it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from cipherlens.crypto import CryptoError, Keyring, read_network
from cipherlens.model.codes import binarise
from cipherlens.model.errors import CheckpointError
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding import EmbeddingQueue
from cipherlens.server.encryption.pictures import read_picture
from cipherlens.server.errors import StartupError
from cipherlens.v1.representation_pb2 import Codes
from cipherlens.wire import codes_message

if TYPE_CHECKING:
    from cipherlens.model.hash_encoder import HashEncoder

_log = logging.getLogger(__name__)


class HashModel:
    """A hash network behind a bounded queue, so that calls share its batches."""

    def __init__(self, encoder: "HashEncoder", config: ServerConfig) -> None:
        """Start the queue; `close` ends it."""
        self._encoder = encoder
        self._batch = config.max_batch
        self._queue = EmbeddingQueue.of(encoder.activations, config, encoder)

    @classmethod
    def opened(cls, path: Path, keyring: Keyring, config: ServerConfig) -> Self:
        """Return the network of a checkpoint, sealed or plain, which stays sealed on the disk.

        Raises StartupError.
        """
        try:
            from cipherlens.model.hash_encoder import HashEncoder  # torch: only where it is used

            data = read_network(path.read_bytes(), keyring)
            encoder = HashEncoder(data, config.device)
        except ModuleNotFoundError as error:
            raise StartupError(
                f"a hash network needs the package {error.name}: install cipherlens[model]"
            ) from error
        except OSError as error:
            raise StartupError(f"hash_model {path}: {error.strerror or error}") from error
        except (CryptoError, CheckpointError, ValueError) as error:
            raise StartupError(f"hash_model {path}: {error}") from error
        _log.info("hash network %s: %d bits", encoder.digest[:16], encoder.bits)
        return cls(encoder, config)

    def codes(self, pictures: Sequence[bytes], call: Call) -> Codes:
        """Return the codes of picture files, in their order.

        Raises InvalidField naming the picture that cannot be read, QueueFull, DeadlineExpired,
        CallCancelled, Stopping.
        """
        rows = []
        # A part at a time: prepared pictures take much more memory than their files.
        for start in range(0, len(pictures), self._batch):
            pixels = []
            for position, data in enumerate(pictures[start : start + self._batch], start):
                call.check()
                pixels.append(read_picture(f"pictures[{position}]", data, self._encoder)[0])
            rows.append(self._queue.embed(pixels, call, urgent=True))
        codes = binarise(np.concatenate(rows), self._encoder.threshold)
        return codes_message(codes)

    def close(self) -> None:
        """Finish what waits and refuse what comes."""
        self._queue.close()
