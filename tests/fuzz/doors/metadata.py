"""What comes with a call: tokens, request ids, and whatever else a stranger puts beside them."""

import json
import logging
from datetime import timedelta
from random import Random

from google.rpc import code_pb2

from cipherlens.server.access.permission import permissions_of
from cipherlens.server.access.token import issue
from cipherlens.server.access.token_file import TokenFile
from cipherlens.server.config import LogSettings, ServerConfig
from cipherlens.server.observing.logs import JsonLines, TextLines
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.fuzz.doors.served import check_refusal, started
from tests.fuzz.mutation import mutated_bytes, mutating_json
from tests.fuzz.target import Target

_REFUSED = {code_pb2.UNAUTHENTICATED, code_pb2.PERMISSION_DENIED}


class _Lines(logging.Handler):
    """Keeps what is logged, as text and as JSON."""

    def __init__(self):
        super().__init__()
        self.lines, self.calls = [], 0
        self._formatters = (TextLines(), JsonLines())

    def emit(self, record):
        self.lines += [each.format(record) for each in self._formatters]
        self.calls += record.name == "cipherlens.access"


class Listening:
    """A server that knows one token and logs every call."""

    def __init__(self, folder):
        token, record = issue("anna", permissions_of("search:photos"), timedelta(days=90))
        self.token, data_dir = token, folder / "listening"
        TokenFile(data_dir / "tokens.json").add(record)
        log = LogSettings(access_share=1.0, lines_per_s=1_000_000)
        config = ServerConfig(data_dir=data_dir, device="cpu", transport="grpcio", log=log)
        self.server, self.methods = started(config)
        self._log, self._kept = logging.getLogger("cipherlens"), _Lines()
        self._level = self._log.level
        self._log.setLevel("INFO")
        self._log.addHandler(self._kept)

    def close(self):
        self._log.removeHandler(self._kept)
        self._log.setLevel(self._level)
        self.server.stop(0)

    def attempt(self, data):
        """Make calls with such metadata."""
        metadata = _pairs(data)
        if metadata is None:
            return False
        info = pb.GetServerInfoRequest().SerializeToString()
        search = pb.SearchRequest(collection="other", k=1).SerializeToString()
        self._kept.lines, self._kept.calls = [], 0
        knows = self.methods.call("GetServerInfo", info, metadata)
        searched = self.methods.call("Search", search, metadata)
        for answer in (knows, searched):
            if answer.refusal is not None:
                check_refusal(answer.refusal)
                assert answer.refusal.code in _REFUSED
        # Whoever is known may ask what this is; nobody may search where his token is not for.
        shown = [each for key, each in metadata if key == "authorization"]
        is_known = (
            len(shown) == 1 and shown[0][:7].lower() == "bearer " and shown[0][7:] == self.token
        )
        assert (knows.refusal is None) == is_known
        assert searched.refusal is not None
        self.check_lines()
        return is_known

    def check_lines(self):
        """Assert that each call has a line of its own, and no line gives anything away."""
        lines = self._kept.lines
        assert self._kept.calls == 2
        for line in lines:
            assert self.token.rpartition("_")[2] not in line
            assert len(line.splitlines()) == 1
            assert line.isprintable()
        for text in lines[1::2]:
            assert json.loads(text)["level"] in {"info", "warning"}


def metadata(folder):
    """Metadata as JSON: pairs of a name and a text, or a text that stands for bytes."""
    listening = Listening(folder)
    token = f"Bearer {listening.token}"
    seeds = [
        [["authorization", token], ["x-request-id", "abc-123"], ["x-server-timing", "1"]],
        [["authorization", token.replace("0", "1")], ["traceparent", "00-" + "a" * 32 + "-b-01"]],
        [["authorization", token], ["authorization", token], ["x-bin", "\x00\xff"]],
        [],
    ]

    def written(document: object, rng: Random) -> bytes:
        data = json.dumps(document).encode()
        return mutated_bytes(data, rng) if rng.random() < 0.1 else data

    return Target(
        name="metadata",
        seeds=[json.dumps(each).encode() for each in seeds],
        attempt=listening.attempt,
        mutate=mutating_json(json.loads, written),
        close=listening.close,
        most_bytes=4000,
    )


def _pairs(data):
    """Return metadata as a transport gives it, None for what is no such JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    pairs = document if isinstance(document, list) else []
    sound = [
        each
        for each in pairs
        if isinstance(each, list) and len(each) == 2 and all(isinstance(part, str) for part in each)
    ]
    return tuple(
        (key, value.encode(errors="replace") if key.endswith("-bin") else value)
        for key, value in sound
    )
