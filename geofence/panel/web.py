"""The process of the browser: pages out of what the privileged one tells. It has no privilege.

No script runs in the pages, and a browser takes nothing from elsewhere. Every request has to name
this host, carry the cookie of the one session, and, if it is a form, come from a page of ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from geofence.host.peer import user_of
from geofence.panel.client import PrivilegedGoneError, ask
from geofence.panel.protocol import ACTIONS, KEYS, Answer, Question, Verb
from geofence.panel.rows import Wanted, read_wanted, shown
from geofence.panel.sessions import Sessions
from geofence.report.environment import TEMPLATES as SHARED
from geofence.report.environment import environment

_TEMPLATES = Path(__file__).parent / "templates"
COOKIE = "geofence-panel"
_FOR_ALL = ("/enter", "/style.css", "/metrics")
"""What needs no session: Prometheus has none, and metrics name nobody."""
_LONGEST_FORM = 8192
_LONGEST = 200
"""Characters of a parameter of an address."""
_CSP = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_Next = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Settings:
    """What the panel is told when it starts."""

    control: Path
    """The socket of the privileged process."""
    hosts: frozenset[str]
    """Values of the header Host that name this panel."""
    words: Mapping[str, str]
    """Texts of the pages, by name."""
    language: str = "en"
    actions: bool = False
    sessions: Sessions = field(default_factory=Sessions)


def application(settings: Settings) -> Starlette:
    """Return the application."""
    panel = _Panel(settings)
    return Starlette(
        routes=[
            Route("/enter", panel.enter),
            Route("/style.css", panel.style),
            Route("/", panel.overview),
            Route("/metrics", panel.metrics),
            Route("/plan", panel.plan, methods=["POST"]),
            Route("/do", panel.do, methods=["POST"]),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=panel.guard)],
    )


class _Panel:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        pages = environment(_TEMPLATES)
        self._templates = {
            name: pages.get_template(f"{name}.html.j2") for name in ("overview", "plan", "notice")
        }
        self._css = (SHARED / "style.css").read_text("utf-8") + (
            _TEMPLATES / "panel.css"
        ).read_text("utf-8")

    async def guard(self, request: Request, call_next: _Next) -> Response:
        """Refuse what does not name this panel, has no session, or comes from another site."""
        response = self._refusal(request) or await call_next(request)
        response.headers.update(_HEADERS)
        return response

    def _refusal(self, request: Request) -> Response | None:
        settings = self._settings
        if request.headers.get("host") not in settings.hosts:
            return self._notice(421, "wrong_host")
        site = request.headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and request.url.path != "/enter":
            return self._notice(403, "cross_site")
        if request.method == "POST" and not self._is_from_here(request):
            return self._notice(403, "cross_site")
        if request.url.path in _FOR_ALL:
            return None
        if not settings.sessions.knows(request.cookies.get(COOKIE), _user(request)):
            return self._notice(403, "no_session")
        return None

    def _is_from_here(self, request: Request) -> bool:
        origin = request.headers.get("origin")
        return origin is not None and origin.removeprefix("http://") == request.headers.get("host")

    def _notice(self, code: int, word: str) -> Response:
        text = self._settings.words[word]
        return HTMLResponse(self._page("notice", lines=[text], ok=False), code)

    def _page(self, name: str, **values: object) -> str:
        settings = self._settings
        html: str = self._templates[name].render(
            words=settings.words,
            language=settings.language,
            token=settings.sessions.form_token(),
            actions=settings.actions,
            **values,
        )
        return html

    async def enter(self, request: Request) -> Response:
        """Take the link, once, and give the cookie for it."""
        link = request.query_params.get("link", "")
        cookie = self._settings.sessions.enter(link, _user(request))
        if cookie is None:
            return self._notice(403, "wrong_link")
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict")
        return response

    async def style(self, _: Request) -> Response:
        """Return the style sheet."""
        return Response(self._css, media_type="text/css")

    async def overview(self, request: Request) -> Response:
        """Show everything, with the rows that are asked for."""
        told = await self._ask(Question(Verb.VIEW))
        if not told.ok:
            return HTMLResponse(self._page("notice", lines=told.lines, ok=False), 503)
        view: Any = told.view
        query = {key: value for key, value in request.query_params.items() if len(value) < _LONGEST}
        tables = [_asked(section, query) for section in view["sections"]]
        return HTMLResponse(self._page("overview", view=view, tables=tables, query=query))

    async def metrics(self, _: Request) -> Response:
        """Return the metrics in Prometheus' text format."""
        told = await self._ask(Question(Verb.METRICS))
        return PlainTextResponse("\n".join(told.lines) + "\n", 200 if told.ok else 503)

    async def plan(self, request: Request) -> Response:
        """Show what an action would do."""
        return await self._act(request, commit=False)

    async def do(self, request: Request) -> Response:
        """Do what was shown."""
        return await self._act(request, commit=True)

    async def _act(self, request: Request, *, commit: bool) -> Response:
        form = await _form(request)
        if form is None or not self._settings.sessions.is_form_token(form.get("token", "")):
            return self._notice(403, "cross_site")
        verb = form.get("verb", "")
        if verb not in ACTIONS or not self._settings.actions:
            return self._notice(400, "no_action")
        values = {key: form[key].strip() for key in KEYS[Verb(verb)] if form.get(key)}
        question = Question(Verb(verb), values, form.get("plan", "") if commit else "")
        told = await self._ask(question)
        if commit and told.ok:
            return HTMLResponse(self._page("notice", lines=told.lines, ok=True))
        page = self._page("plan", verb=verb, values=values, told=told)
        return HTMLResponse(page, 200 if told.ok else 409)

    async def _ask(self, question: Question) -> Answer:
        try:
            return await run_sync(ask, self._settings.control, question)
        except PrivilegedGoneError:
            return Answer(ok=False, lines=(self._settings.words["gone"],))


def _user(request: Request) -> int | None:
    """Return the local user whose program sent a request; None if that is not known."""
    here, there = request.scope.get("server"), request.client
    if here is None or there is None or here[1] is None:
        return None  # a Unix socket: only root may use it
    return user_of((there.host, there.port), (here[0], here[1]))


async def _form(request: Request) -> dict[str, str] | None:
    """Return the values of a form; None if it is too long, or none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return None
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=20, keep_blank_values=True))
    except ValueError:
        return None


def _asked(section: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, object]:
    """Return a table with the rows that the query asks of it, and the links to others."""
    headings: Sequence[str] = section["table"]["headings"]
    name = section["anchor"]
    mine = {
        key.removeprefix(f"{name}-"): value
        for key, value in query.items()
        if key.startswith(f"{name}-")
    }
    wanted = read_wanted(mine, len(headings))
    found = shown(headings, section["table"]["rows"], wanted)
    return {
        **section,
        "rows": found.rows,
        "found": found.found,
        "total": len(section["table"]["rows"]),
        "wanted": wanted,
        "sorts": [_link(name, query, wanted, column) for column in range(len(headings))],
        "previous": _address(name, query, {"page": str(found.page - 1)}),
        "next": _address(name, query, {"page": str(found.page + 1)}),
        "page": found.page,
        "pages": found.pages,
    }


def _link(name: str, query: Mapping[str, str], wanted: Wanted, column: int) -> str:
    down = column == wanted.column and not wanted.descending
    order = {"sort": str(column), "order": "down" if down else "up", "page": "0"}
    return _address(name, query, order)


def _address(name: str, query: Mapping[str, str], changes: Mapping[str, str]) -> str:
    asked = {**query, **{f"{name}-{key}": value for key, value in changes.items()}}
    return f"?{urlencode(asked)}#{name}"
