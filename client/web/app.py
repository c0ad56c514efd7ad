"""The page's server: what a browser may ask, and what it is told when that fails."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.resources import files
from itertools import accumulate
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cipherlens.base import DomainError
from cipherlens.client.core.tags import TagFilter
from cipherlens.client.errors import (
    CipherLensError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
)
from cipherlens.client.folder.walk import PICTURE_SUFFIXES
from cipherlens.client.picture import MAX_PICTURE_BYTES
from cipherlens.client.web.album import Album, Entry
from cipherlens.client.web.guard import Guard, Secrets
from cipherlens.client.web.pictures import Pictures
from cipherlens.client.web.searches import Found, Searches, score_of
from cipherlens.client.web.uploads import Handed, Uploads
from cipherlens.crypto import ImageError, NotGenuine, NotGranted

PAGE = "index.html"
MAX_PAGE = 500
"""Most items in one answer."""
_MAX_TOKEN_BYTES = 256
_MAX_LIST_BYTES = 2**20  # of the names of an upload
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

STATUSES: Mapping[type[Exception], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    NotGranted: HTTPStatus.FORBIDDEN,
    NotGenuine: HTTPStatus.CONFLICT,
    FailedPrecondition: HTTPStatus.CONFLICT,
    ImageError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidArgument: HTTPStatus.BAD_REQUEST,
    ResourceExhausted: HTTPStatus.SERVICE_UNAVAILABLE,
    CipherLensError: HTTPStatus.BAD_GATEWAY,
    DomainError: HTTPStatus.CONFLICT,
    ValueError: HTTPStatus.BAD_REQUEST,
    OSError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What each failure is to the page, which the nearest ancestor of its class decides."""


def application(
    album: Album, searches: Searches, uploads: Uploads | None, known: Secrets, hosts: Iterable[str]
) -> ASGIApp:
    """Return the server of one album.

    Args:
        album: what is shown.
        searches: searches of it.
        uploads: takes pictures; None where the key may only read.
        known: the secrets of this run.
        hosts: what the server may be called, with its port.
    """
    assets = _assets()
    answers = Answers(album, searches, uploads, known, assets)
    below = {
        "session": ("POST", answers.session),
        "collection": ("GET", answers.collection),
        "items": ("GET", answers.items),
        "picture": ("GET", answers.picture),
        "seen": ("GET", answers.seen),
        "original": ("GET", answers.original),
        "search": ("POST", answers.search),
        "upload": ("POST", answers.upload),
    }
    routes = [
        Route(f"/{known.place}/{path}", answer, methods=[method])
        for path, (method, answer) in below.items()
    ]
    routes.append(Route(f"/{known.place}/{{name:path}}", answers.asset))
    handlers = {
        **dict.fromkeys(STATUSES, _failed),
        HTTPException: _refused,
        ClientDisconnect: _left,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(app, known, hosts, ["", "session", *assets])


class Answers:
    """What each path answers."""

    def __init__(
        self,
        album: Album,
        searches: Searches,
        uploads: Uploads | None,
        known: Secrets,
        assets: Mapping[str, bytes],
    ) -> None:
        """Take what `application` does, and the files of the page by their names."""
        self._album, self._searches, self._uploads = album, searches, uploads
        self._known, self._assets, self._pictures = known, assets, Pictures(album)

    def asset(self, request: Request) -> Response:
        """Return a file of the page."""
        name = request.path_params["name"] or PAGE
        if name not in self._assets:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        # Not the system's table: where that knows a script as plain text, browsers refuse it.
        return Response(self._assets[name], media_type=_MEDIA_TYPES[PurePosixPath(name).suffix])

    async def session(self, request: Request) -> Response:
        """Give the session for the token, which is the body."""
        token = await _body(request, _MAX_TOKEN_BYTES)
        if not self._known.opens(token.decode(errors="replace")):
            raise HTTPException(HTTPStatus.UNAUTHORIZED)
        return Response(
            status_code=HTTPStatus.NO_CONTENT, headers={"Set-Cookie": self._known.cookie}
        )

    def collection(self, _request: Request) -> Response:
        """Return what there is, and what may be done with it; the listing is made anew."""
        self._album.vouching.sign()
        self._album.refresh()
        where, manifest = self._album.where, self._album.vouching.manifest
        return JSONResponse(
            {
                "name": where.name,
                "kind": where.kind,
                "count": len(self._album.entries()),
                "tags": [{"tag": tag, "count": count} for tag, count in self._album.tags()],
                "takes_pictures": self._searches.takes_pictures,
                "takes_uploads": self._uploads is not None,
                "suffixes": sorted(PICTURE_SUFFIXES),
                "manifest": None if manifest is None else manifest.counter,
            }
        )

    def items(self, request: Request) -> Response:
        """Return a page of the entries that are wanted."""
        asked = request.query_params
        offset, limit = _number(request, "offset", 0), _number(request, "limit", MAX_PAGE)
        if offset < 0 or not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"offset must be 0 or more, limit 1 to {MAX_PAGE}")
        found = self._album.entries(asked.get("name", ""), _filter(request))
        page = [_entry_document(each) for each in found[offset : offset + limit]]
        return JSONResponse({"total": len(found), "items": page})

    def picture(self, request: Request) -> Response:
        """Return the decrypted picture of an item."""
        data = self._pictures.shown(_asked(request, "id"), _number(request, "side", 320))
        return Response(data, media_type="image/jpeg")

    def seen(self, request: Request) -> Response:
        """Return what the server has of an item, or was given as a query."""
        if "query" in request.query_params:
            data = self._searches.seen(_asked(request, "query"))
        else:
            data = self._pictures.seen(_asked(request, "id"))
        return Response(data, media_type="image/png")

    def original(self, request: Request) -> Response:
        """Return the original of an item, as a file to be kept."""
        item_id = _asked(request, "id")
        original = self._pictures.original(item_id)
        entry = self._album.named([item_id]).get(item_id)
        name = PurePosixPath(item_id if entry is None else entry.name).name
        # Whatever it is, a browser saves it and does not show it: it is given no type of its own.
        return Response(
            original.data,
            media_type="application/octet-stream",
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
        )

    async def search(self, request: Request) -> Response:
        """Search by an item, or by the picture that is the body."""
        k, tags = _number(request, "k", 60), _filter(request)
        item_id = request.query_params.get("id")
        if item_id is not None:
            found = await run_in_threadpool(self._searches.by_item, item_id, k, tags)
        else:
            data = await _body(request, MAX_PICTURE_BYTES)
            found = await run_in_threadpool(self._searches.by_picture, data, k, tags)
        return JSONResponse(_found_document(found))

    async def upload(self, request: Request) -> Response:
        """Index the picture files in the body, and return what became of each."""
        uploads = self._uploads
        if uploads is None:
            raise NotGranted("the key was granted: the owner alone indexes")
        tags = request.query_params.getlist("tag") or None
        files = _files(await _body(request, _MAX_LIST_BYTES + MAX_PICTURE_BYTES))
        outcomes = await run_in_threadpool(uploads.take, files, tags)
        return JSONResponse([{"state": each.state, "reason": each.reason} for each in outcomes])


def _assets() -> dict[str, bytes]:
    """Return the files of the page by their names."""
    folder = files("cipherlens.client.web").joinpath("page")
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def _entry_document(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.item_id,
        "name": entry.name,
        "tags": entry.tags,
        "bytes": entry.sealed_size_bytes,
        "problem": entry.problem,
    }


def _found_document(found: Found) -> dict[str, object]:
    hits = [
        {
            **({"name": hit.item_id, "tags": ()} if entry is None else _entry_document(entry)),
            "id": hit.item_id,
            "score": score_of(hit),
        }
        for hit, entry in found.hits
    ]
    return {"query": found.query, "problems": found.problems, "hits": hits}


def _filter(request: Request) -> TagFilter:
    """Return the tags that are asked for. Raises ValueError if one is none."""
    asked = request.query_params
    return TagFilter(all_of=asked.getlist("tag"), none_of=asked.getlist("without"))


def _asked(request: Request, name: str) -> str:
    """Return a parameter. Raises ValueError if it is not there."""
    if name not in request.query_params:
        raise ValueError(f"{name} is missing")
    return request.query_params[name]


def _number(request: Request, name: str, default: int) -> int:
    """Return a number that is asked for. Raises ValueError if it is none."""
    return int(request.query_params.get(name, default))


async def _body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request, no longer than it may be."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > max_bytes:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(data)


def _files(body: bytes) -> list[Handed]:
    """Return the files of an upload: a line of JSON, names with sizes, and then their bytes."""
    head, _, data = body.partition(b"\n")
    try:
        listed = [(str(each["name"]), int(each["size"])) for each in json.loads(head)]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError("an upload must begin with the names and sizes of its files") from error
    if any(size < 0 for _, size in listed) or sum(size for _, size in listed) != len(data):
        raise ValueError(f"the files of an upload must have its {len(data)} bytes")
    ends = list(accumulate(size for _, size in listed))
    return [(name, data[end - size : end]) for (name, size), end in zip(listed, ends, strict=True)]


def _refused(_request: Request, error: Exception) -> Response:
    """Return what the page is told of a path or method that is not, or a body that is too long."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _left(_request: Request, _error: Exception) -> Response:
    """Return what nobody is there to be told: the user has stopped an upload."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _failed(_request: Request, error: Exception) -> Response:
    """Return what the page is told of a failure."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    text = error.message if isinstance(error, CipherLensError) else str(error)
    return JSONResponse({"error": text}, status)
