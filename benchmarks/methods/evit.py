"""EViT: Feng, Li, Lu, Li, Wang, Liu, Duan and Huang (arXiv:2208.14657), by the authors of E2E.

The owner adds a stream to the bits behind a JPEG file's Huffman codes, of each picture's own. The
server reads the lengths of each block's coefficients (64 of Y, 32 of Cb and of Cr) as a sequence,
and the frequencies of all Huffman codes; a vision transformer takes the blocks as tokens and the
frequencies as one more. It learns without labels, by momentum contrast between two views of a
picture, in which blocks are exchanged and the sequence is turned. Vectors are compared by cosine.

The views' probabilities, the queue's momentum and the temperature are those of the public code. Far
smaller here: two layers of 64 numbers, a queue of 256, and the epochs; Adam stands for SGD. E2E's
Table II does not have EViT, which is later.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.encrypted_jpeg import Files, coefficients, compressed, rewritten
from benchmarks.methods.huffman import ac_counts, dc_counts, dc_differences, lengths
from benchmarks.methods.liang import streamed
from benchmarks.methods.method import BATCH, Features
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.evaluation.evaluate_distances import Distances

_NUMBERS = 64 + 32 + 32
_CODES = 3 * (12 + 162)
_WIDTH, _DEPTH, _HEADS = 64, 2, 4
_QUEUE, _BATCH = 256, 32
_MOMENTUM, _TEMPERATURE = 0.99, 0.1
_VIEW = 0.3
_RATE, _WEIGHT_DECAY = 1e-3, 5e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class EViT:
    """The scheme."""

    epochs: int
    quality: int = 75

    def fit(self, training: PreparedImages, draws: Draws) -> "EViTRanker":
        """Return the scheme with a key and a network that has learned from ciphertext."""
        seed = int.from_bytes(draws.stream("network", 4), "little")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            untrained = EViTRanker(scheme=self, draws=draws, encoder=Encoder(_blocks(training)))
            generator = np.random.default_rng(seed)
            parts = [
                untrained.observed(untrained.encrypt(pixels, generator))
                for _, pixels in by_shape(training.images, BATCH)
            ]
            sequences, codes = (torch.cat(each) for each in zip(*parts, strict=True))
            contrast(untrained.encoder, sequences, codes, self.epochs)
        return untrained


@dataclass(frozen=True, kw_only=True, slots=True)
class EViTRanker:
    """The scheme with a key and a network."""

    scheme: EViT
    draws: Draws
    encoder: "Encoder"

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Files:
        """Return JPEG files with other bits behind the codes."""
        held = coefficients(compressed(pixels, self.scheme.quality))
        _, height, width, _ = pixels.shape
        drawn = nonces(len(held), generator)
        sent = [streamed(each, self.draws, nonce) for each, nonce in zip(held, drawn, strict=True)]
        return rewritten(np.stack(sent), height, width, self.scheme.quality)

    def encode(self, encrypted: Files) -> Features:
        """Return the network's unit vectors, (n, 64) float32."""
        self.encoder.eval()
        with torch.inference_mode():
            found: NDArray[np.float32] = self.encoder(*self.observed(encrypted)).numpy()
        return found

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the negative cosine."""
        cosines: NDArray[np.float32] = queries @ database.T
        return -cosines

    def observed(self, encrypted: Files) -> tuple[Tensor, Tensor]:
        """Return what the server reads: lengths, (n, blocks, 128), and frequencies, (n, 522)."""
        held = coefficients(encrypted)
        written = held.astype(np.int64)
        written[..., 0] = dc_differences(held)
        bits = lengths(written)
        sequences = np.concatenate([bits[:, 0], bits[:, 1, :, :32], bits[:, 2, :, :32]], axis=-1)
        counts = np.concatenate([dc_counts(held), ac_counts(held)], axis=-1)
        return (
            torch.from_numpy(sequences.astype(np.float32)),
            torch.from_numpy(np.log1p(counts).astype(np.float32)).flatten(1),
        )


class Encoder(nn.Module):
    """A transformer over the blocks, a token of all codes, and one that is read at the end."""

    def __init__(self, blocks: int) -> None:
        """Draw the weights for pictures of so many blocks."""
        super().__init__()
        self.embed_block = nn.Linear(_NUMBERS, _WIDTH)
        self.embed_codes = nn.Linear(_CODES, _WIDTH)
        self.read = nn.Parameter(torch.zeros(1, 1, _WIDTH))
        self.places = nn.Parameter(torch.randn(1, blocks + 2, _WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(
            _WIDTH, _HEADS, 2 * _WIDTH, dropout=0.1, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, _DEPTH, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(_WIDTH)

    def forward(self, sequences: Tensor, codes: Tensor) -> Tensor:
        """Return unit vectors, (n, 64), of (n, blocks, 128) and (n, 522)."""
        tokens = [
            self.read.expand(len(sequences), -1, -1),
            self.embed_codes(codes)[:, None],
            self.embed_block(sequences),
        ]
        seen = self.layers(torch.cat(tokens, dim=1) + self.places)
        return normalize(self.norm(seen[:, 0]))


def contrast(encoder: Encoder, sequences: Tensor, codes: Tensor, epochs: int) -> None:
    """Train by momentum contrast, as MoCo does, on two views of each picture."""
    follower = copy.deepcopy(encoder).requires_grad_(False)
    queue = normalize(torch.randn(_QUEUE, _WIDTH))
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    batch = min(_BATCH, len(sequences))
    encoder.train()
    for _ in range(epochs):
        order = torch.randperm(len(sequences))
        for chosen in order[: len(sequences) // batch * batch].view(-1, batch):
            views = [view(sequences[chosen]) for _ in range(2)]
            asked = [encoder(each, codes[chosen]) for each in views]
            with torch.no_grad():
                known = [follower(each, codes[chosen]) for each in views]
            loss = _loss(asked[0], known[1], queue) + _loss(asked[1], known[0], queue)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            queue = torch.cat([*known, queue])[:_QUEUE]
            _follow(follower, encoder)


def view(sequences: Tensor) -> Tensor:
    """Return the sequences, some with two blocks exchanged, some turned."""
    count, blocks, _ = sequences.shape
    order = torch.arange(blocks).repeat(count, 1)
    some = torch.rand(count) < _VIEW
    pairs = torch.randint(blocks, (count, 2))
    rows = torch.arange(count)[:, None]
    swapped = order.clone()
    swapped[rows, pairs] = order[rows, pairs.flip(1)]
    order = torch.where(some[:, None], swapped, order)
    turns = torch.randint(blocks, (count, 1)) * (torch.rand(count, 1) < _VIEW)
    order = order.gather(1, (torch.arange(blocks) + turns) % blocks)
    return sequences.gather(1, order[:, :, None].expand_as(sequences))


def _loss(asked: Tensor, known: Tensor, queue: Tensor) -> Tensor:
    """Return the cross entropy of a picture's other view among the queue's pictures."""
    right = (asked * known).sum(dim=1, keepdim=True)
    logits = torch.cat([right, asked @ queue.T], dim=1) / _TEMPERATURE
    return cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


@torch.no_grad()
def _follow(follower: Encoder, encoder: Encoder) -> None:
    for slow, fast in zip(follower.parameters(), encoder.parameters(), strict=True):
        slow.lerp_(fast, 1 - _MOMENTUM)


def _blocks(training: PreparedImages) -> int:
    return training.height * training.width // 64
