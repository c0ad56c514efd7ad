"""Who may ask the page's server, and what every answer of it forbids a browser.

It listens on this machine alone, where other users' programs and any page in the user's browser
reach it too. So:

- the Host must be this very server: a foreign name that was made to lead here (DNS rebinding) is
  not answered;
- everything lies below a random place in the path, and the session's cookie goes to that path
  alone: cookies know no ports, and another local server would else be sent it;
- the session is given for the token that only the user's terminal shows, which stands behind the
  `#` of the address, so that no log, history of requests or Referer has it;
- what changes or computes something must come from our own page, by its Origin, and what is read
  must not be embedded elsewhere, by Sec-Fetch-Site.
"""

import hmac
import secrets
from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "cipherlens-gallery"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cache-Control": "no-store",  # decrypted pictures stay out of the browser's cache on disk
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SAFE_METHODS = ("GET", "HEAD")


class Secrets:
    """The random parts of one run: where it lies, what opens a session, and the session.

    Attributes:
        place: the first part of every path.
        token: what the address carries behind `#`.
        session: the value of the cookie.
    """

    def __init__(self) -> None:
        """Draw them, 128 bits and more each."""
        self.place = secrets.token_urlsafe(16)
        self.token = secrets.token_urlsafe(32)
        self.session = secrets.token_urlsafe(32)

    @property
    def cookie(self) -> str:
        """Return the header that gives a browser the session."""
        return f"{COOKIE}={self.session}; Path=/{self.place}/; HttpOnly; SameSite=Strict"

    def opens(self, token: str) -> bool:
        """Return whether a token is the one of the address."""
        return hmac.compare_digest(token.encode(), self.token.encode())


class Guard:
    """Refuses what is not asked by the user's own page, and adds `HEADERS` to all answers."""

    def __init__(
        self, app: ASGIApp, known: Secrets, hosts: Iterable[str], open_paths: Iterable[str]
    ) -> None:
        """Take what to guard.

        Args:
            app: answers paths below the place.
            known: the secrets of this run.
            hosts: what this server may be called, with its port.
            open_paths: paths below the place that take no session: the page itself.
        """
        self._app, self._known, self._hosts = app, known, frozenset(hosts)
        self._below = f"/{known.place}/"
        self._open = frozenset(self._below + path for path in open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        answer = self._app if refusal is None else _refused(*refusal)
        await answer(scope, receive, _with_headers(send))

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[HTTPStatus, str] | None:
        """Return why a request is refused; None if it is not."""
        (host, *others) = headers.getlist("host") or [""]
        if others or host not in self._hosts:
            return HTTPStatus.MISDIRECTED_REQUEST, "this is not a server of that name"
        if not path.startswith(self._below):
            return HTTPStatus.NOT_FOUND, "there is nothing here"
        is_page = path in self._open and method in _SAFE_METHODS
        if not is_page and headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return HTTPStatus.FORBIDDEN, "another site asks"
        if method not in _SAFE_METHODS and headers.get("origin") != f"http://{host}":
            return HTTPStatus.FORBIDDEN, "another page asks"
        if path not in self._open and not self._has_session(headers):
            return HTTPStatus.UNAUTHORIZED, "open the address that the terminal shows"
        return None

    def _has_session(self, headers: Headers) -> bool:
        given = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(given.encode(), self._known.session.encode())


def _refused(status: HTTPStatus, reason: str) -> ASGIApp:
    return JSONResponse({"error": reason}, status)


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sent
