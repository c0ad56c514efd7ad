"""RetrievalService: every method, over collections of each kind that must stay as they are."""

import hashlib
from datetime import timedelta

from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from cipherlens.server.access.permission import permissions_of
from cipherlens.server.access.token import issue
from cipherlens.server.access.token_file import TokenFile
from cipherlens.server.config import IvfSettings, Limits, ServerConfig
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.fuzz.doors.checkpoints import mutated_checkpoint, tiny_checkpoint
from tests.fuzz.doors.requests import (
    IDS,
    KINDS,
    TAG_TOKENS,
    index_request,
    profile_message,
    pushed,
    queries,
    rows_of,
)
from tests.fuzz.doors.served import check_refusal, parts_of, started, stream_of
from tests.fuzz.messages import Words, mutated_message
from tests.fuzz.target import Target

_LIMITS = Limits(
    max_message_bytes=1 << 18,
    max_sealed_bytes=1000,
    max_batch_items=8,
    max_queries=4,
    max_k=20,
    max_image_pixels=2048,
    max_name_bytes=16,
    max_item_id_bytes=32,
    max_owner_tag_bytes=8,
    max_dimension=64,
    max_model_bytes=1 << 18,
    max_page_size=5,
    max_concurrent_calls=8,
    max_tag_tokens=4,
    max_sealed_tags_bytes=64,
)
_WAITING_S = 0.1
"""How long a search or a count may wait for a change that nobody makes."""
_NO_WAITS = 0.95
"""The share of them that wait for none: a wait takes as long as a hundred answers."""
_ROUND = 1000
"""Inputs after which what they made is removed, and what must stay is looked at."""


class Cloud:
    """A server with collections that a stranger may search, and others that he may change."""

    def __init__(self, folder):
        data_dir = folder / "served"
        tokens = TokenFile(data_dir / "tokens.json")
        self._owner = _token(tokens, "owner", "server", "admin,index,search,fetch:*")
        self._stranger = _token(tokens, "stranger", "server", "search,fetch:*", "admin,index:x*")
        config = ServerConfig(
            data_dir=data_dir,
            limits=_LIMITS,
            device="cpu",
            transport="grpcio",
            ivf=IvfSettings(minimum_rows=100),
        )
        self.server, self.methods = started(config)
        self.models = data_dir / "models"
        self.names = sorted(self.methods.by_name)
        self.checkpoint = tiny_checkpoint(folder)
        self.words = self._words()
        self.fill("kept-")
        self.begin()
        self._kept, self._state = self.kept(), self.state()
        self._tried = 0

    def fill(self, prefix):
        """Make a collection of each kind, with items."""
        for letter, fields in KINDS.items():
            name = prefix + letter
            profile = profile_message() if letter == "e" else None
            self.own(
                "CreateCollection", pb.CreateCollectionRequest(name=name, profile=profile, **fields)
            )
            if letter == "e":
                self.own("PushModel", self.pushed(name))
            self.own("Index", index_request(name, letter))

    def begin(self):
        """Remove what strangers made, and give them collections anew."""
        for each in self.collections():
            if not each.name.startswith("kept-"):
                self.own("DeleteCollection", pb.DeleteCollectionRequest(name=each.name))
        used = hashlib.sha256(self.checkpoint).digest()
        for each in self.own("ListModels", pb.ListModelsRequest()).models:
            if each.digest != used:
                self.own("DeleteModel", pb.DeleteModelRequest(digest=each.digest))
        self.fill("x")

    def own(self, name, message):
        """Return what the owner is answered."""
        payload = message if isinstance(message, bytes) else message.SerializeToString()
        answer = self.methods.call(name, payload, self._owner)
        assert answer.refusal is None, answer.refusal
        return answer.messages[0] if len(answer.messages) == 1 else answer.messages

    def collections(self):
        return self.own("ListCollections", pb.ListCollectionsRequest()).collections

    def pushed(self, collection):
        digest = hashlib.sha256(self.checkpoint).digest()
        header = pb.ModelHeader(
            collection=collection, size_bytes=len(self.checkpoint), digest=digest, name="tiny"
        )
        return pushed(header, self.checkpoint)

    def kept(self):
        """Return what searches in, and lists of, the collections that must stay tell."""
        told = []
        for letter in KINDS:
            request = pb.SearchRequest(collection=f"kept-{letter}", k=4, item_budget_bytes=10_000)
            request.MergeFrom(queries(letter))
            told.append(self.own("Search", request))
            told.append(self.own("ListItems", pb.ListItemsRequest(collection=f"kept-{letter}")))
        return told

    def state(self):
        """Return what a refused call must leave as it is."""
        found = {(each.name, each.uuid, each.sequence) for each in self.collections()}
        models = self.own("ListModels", pb.ListModelsRequest()).models
        files = {path.name for path in self.models.iterdir()}
        return found, {each.digest for each in models}, files

    def attempt(self, data):
        """Make one call as the stranger."""
        name, payload = self.names[data[0] % len(self.names)] if data else "Search", data[1:]
        if name in ("Search", "Count"):
            return self.look(name, payload)
        answer = self.methods.call(name, payload, self._stranger)
        if answer.refusal is not None:
            check_refusal(answer.refusal)
        for each in answer.messages:
            assert each.ByteSize() <= _LIMITS.max_message_bytes
        if self.methods.by_name[name].writes:
            before, self._state = self._state, self.state()
            assert answer.refusal is None or self._state == before
        self._tried += 1
        if self._tried % _ROUND == 0:
            self.begin()
            assert self.kept() == self._kept
            self._state = self.state()
        return answer.refusal is None

    def look(self, name, payload):
        """Search, or count, as the stranger; with others together the answer is the same."""
        answer = self.methods.call(name, payload, self._stranger, _WAITING_S)
        shared = self.methods.shared(name, payload, self._stranger)
        if answer.refusal is None:
            assert answer.messages[0].ByteSize() <= _LIMITS.max_message_bytes
            assert shared in (None, *answer.messages)
            return True
        if answer.refusal.code != code_pb2.DEADLINE_EXCEEDED:  # it waits for a change
            check_refusal(answer.refusal)
            assert shared is None
        return False

    def mutate(self, data, rng):
        """Return a call with another message, now and then of another method."""
        number = data[0] % len(self.names) if data and rng.random() > 0.03 else -1
        if number < 0 or not self.method(number).request_type.DESCRIPTOR.fields:
            number = rng.randrange(len(self.names))
        method = self.method(number)
        if not method.takes_stream:
            payload = mutated_message(method.request_type, data[1:], rng, self.words)
            if method.name in ("Search", "Count") and rng.random() < _NO_WAITS:
                payload = _without_wait(method.request_type, payload)
        else:
            payload = self.other_push(data[1:], rng)
        return bytes([number]) + payload

    def method(self, number):
        return self.methods.by_name[self.names[number]]

    def other_push(self, payload, rng):
        """Return a push whose checkpoint, or messages, were changed; mostly they still agree."""
        parts = [pb.PushModelRequest.FromString(each) for each in _decodable(payload)]
        if not parts or rng.random() < 0.3:
            changed = [each.SerializeToString() for each in parts]
            place = rng.randrange(len(parts) + 1)
            old = changed[place] if place < len(changed) else b""
            changed[place : place + 1] = [
                mutated_message(pb.PushModelRequest, old, rng, self.words)
            ]
            return stream_of(changed)
        checkpoint = mutated_checkpoint(b"".join(each.chunk for each in parts), rng)
        header = parts[0].header
        header.size_bytes, header.digest = len(checkpoint), hashlib.sha256(checkpoint).digest()
        header.collection = rng.choice(("xe", "xe", "xe", "", "xv", "kept-e"))
        return pushed(header, checkpoint)

    def _words(self):
        names = [f"{prefix}{letter}" for prefix in ("kept-", "x") for letter in KINDS]
        digest = hashlib.sha256(self.checkpoint).digest()
        rows = [bytes(2), bytes(16), rows_of("v", 4).tobytes(), rows_of("c", 4).tobytes()]
        return Words(texts=[*names, "x", "xx", *IDS], bytes=[digest, bytes(32), *rows])

    def seeds(self):
        """Yield a call of each method that is answered, and some of some."""
        for letter, fields in KINDS.items():
            x = f"x{letter}"
            profile = profile_message() if letter == "e" else None
            new = pb.CreateCollectionRequest(name="xnew", profile=profile, **fields)
            yield self.seed("CreateCollection", new)
            yield self.seed("Index", index_request(x, letter))
            search = pb.SearchRequest(collection=f"kept-{letter}", k=3, item_budget_bytes=9000)
            search.MergeFrom(queries(letter))
            yield self.seed("Search", search)
            search.ClearField("item_budget_bytes")
            yield self.seed("Search", search)
            kept = pb.TagFilter(any_of=TAG_TOKENS, all_of=TAG_TOKENS[:1], none_of=[bytes(16)])
            search.filter.CopyFrom(kept)
            yield self.seed("Search", search)
            yield self.seed("Count", pb.CountRequest(collection=f"kept-{letter}", filter=kept))
            yield self.seed("Fetch", pb.FetchRequest(collection=x, item_ids=IDS[:2]))
            yield self.seed("ListItems", pb.ListItemsRequest(collection=x, page_size=2))
            delete = pb.DeleteRequest(collection=x, item_ids=IDS[:1], up_to_sequence=99)
            yield self.seed("Delete", delete)
        page = pb.ListItemsRequest(collection="kept-v", page_size=2)
        page.page_token = self.own("ListItems", page).next_page_token
        yield self.seed("ListItems", page)
        yield self.seed("GetServerInfo", pb.GetServerInfoRequest())
        yield self.seed("GetCollection", pb.GetCollectionRequest(name="kept-v"))
        yield self.seed("ListCollections", pb.ListCollectionsRequest())
        yield self.seed("DeleteCollection", pb.DeleteCollectionRequest(name="xc"))
        replace = pb.ReplaceCollectionRequest(name="xv", replacement="xc", sequence=1)
        yield self.seed("ReplaceCollection", replace)
        yield self.seed("PushModel", self.pushed("xe"))
        yield self.seed("PushModel", self.pushed(""))
        yield self.seed("ListModels", pb.ListModelsRequest())
        yield self.seed("DeleteModel", pb.DeleteModelRequest(digest=bytes(32)))

    def seed(self, name, message):
        payload = message if isinstance(message, bytes) else message.SerializeToString()
        return bytes([self.names.index(name)]) + payload


def retrieval(folder):
    """A byte that says which method, and its request."""
    cloud = Cloud(folder)
    return Target(
        name="retrieval",
        seeds=list(cloud.seeds()),
        attempt=cloud.attempt,
        mutate=cloud.mutate,
        close=lambda: cloud.server.stop(0),
        most_bytes=40_000,
    )


def _without_wait(kind, payload):
    """Return a request that waits for no change."""
    try:
        request = kind.FromString(payload)
    except DecodeError:
        return payload
    request.min_sequence = min(request.min_sequence, 1)
    return request.SerializeToString(deterministic=True)


def _token(file, name, *permissions):
    """Make a token, and return the metadata that shows it."""
    allowed = [each for text in permissions for each in permissions_of(text)]
    token, record = issue(name, allowed, timedelta(days=90))
    file.add(record)
    return (("authorization", f"Bearer {token}"),)


def _decodable(payload):
    """Yield the parts of a stream that are messages."""
    for each in parts_of(payload):
        try:
            pb.PushModelRequest.FromString(each)
        except Exception:  # noqa: BLE001 - whatever it is, it is no message
            continue
        yield each
