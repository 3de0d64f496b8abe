"""Requests to an API server, by the official client; its errors end here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from ssl import SSLCertVerificationError
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from geofence.cluster.login import configuration
from geofence.cluster.refusals import refused
from geofence.errors import ClusterError
from geofence.model.target import Target
from geofence.translation import tr

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 60.0
"""How long an API server may take for one answer."""
LARGEST_ANSWER = 256 << 20
"""Bytes: more than a page of the largest objects takes."""
_PIECE = 1 << 16
_BUSY = (429, 503, 504)
"""Codes after which the same request may be sent again."""
_TRIES = 4
_LONGEST_PAUSE = 20.0
"""Seconds between two tries."""
_USER_AGENT = "geofence"


class Call(NamedTuple):
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    what: str
    """A clause on it for messages: ``read NetworkPolicy/pbx/geofence-k8s``."""
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"


class Answer(NamedTuple):
    """An answer, of success or not."""

    status: int
    body: bytes
    retry_after: str = ""


class Connection:
    """A connection to the API server of one target."""

    def __init__(self, target: Target, patience: float) -> None:
        """Connect lazily.

        Args:
            target: which cluster, and how to log in.
            patience: seconds for one request, its repetitions included.

        Raises:
            ClusterError: there is no client, or there are no usable credentials.
        """
        self._target = target
        self._patience = patience
        self._configuration = configuration(target)
        from kubernetes import client

        self._pool: Any = client.ApiClient(self._configuration).rest_client.pool_manager

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._configuration.host)

    def implausible(self) -> ClusterError:
        """Return the error of an answer that no API server gives."""
        return ClusterError(
            tr(
                "{server} did not answer as an API server does. Check the address in the "
                "kubeconfig.",
                server=self.server,
            )
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def json(self, call: Call) -> dict[str, Any]:
        """Send a request and return the object of the answer.

        A busy server is asked again, and so is one that ends the connection, since each request of
        geofence's has the same effect twice as once.

        Raises:
            ClusterError: the server refused, or did not answer.
        """
        until = time.monotonic() + self._patience
        answer = self._patiently(call, until)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - codes of success
            raise refused(call.what, answer.status, answer.body)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.implausible()
        return found

    def _patiently(self, call: Call, until: float) -> Answer:
        for number in range(1, _TRIES + 1):
            left = until - time.monotonic()
            try:
                answer = self._send(call, max(left, 0.1))
            except ConnectionResetError as error:
                if number == _TRIES:
                    raise self._unreachable(error.__cause__ or error) from error
                pause = _pause("", number)
            else:
                if answer.status not in _BUSY or number == _TRIES:
                    return answer
                pause = _pause(answer.retry_after, number)
            if time.monotonic() + pause >= until:
                break
            time.sleep(pause)
        raise ClusterError(
            tr(
                "The cluster was busy or ended the connection at each try to {what}. Run the "
                "command again later.",
                what=call.what,
            ),
            0,
        )

    def _send(self, call: Call, seconds: float) -> Answer:
        """Send it once, by the pool that the client has made with its certificates.

        Releases of the client differ in how they encode the body of an apply, so it is encoded
        here.

        Raises:
            ConnectionResetError: the connection ended before the answer.
            ClusterError: the server cannot be reached, or its certificate is wrong.
        """
        import urllib3
        import urllib3.exceptions as http

        limits = urllib3.Timeout(min(CONNECT_SECONDS, seconds), min(ANSWER_SECONDS, seconds))
        body = json.dumps(call.body, separators=(",", ":")) if call.body is not None else None
        try:
            found = self._pool.request(
                call.method,
                self._url(call),
                body=body,
                headers=self._headers(call),
                timeout=limits,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            content = self._content(found, call, time.monotonic() + seconds)
        except http.NewConnectionError as error:  # a kind of timeout in some releases
            raise self._unreachable(error) from error
        except (http.ReadTimeoutError, http.ConnectTimeoutError) as error:
            raise self._late(call) from error
        except http.ProtocolError as error:
            raise ConnectionResetError from error
        except (http.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        return Answer(found.status, content, found.headers.get("Retry-After") or "")

    def _content(self, found: Any, call: Call, until: float) -> bytes:  # noqa: ANN401 - no types
        """Read an answer, neither for ever nor without end.

        Raises:
            ClusterError: it is too large, or does not end in time.
        """
        content = bytearray()
        with closing(found):  # what comes after an error is no answer to the next request
            for piece in found.stream(_PIECE, decode_content=False):
                content += piece
                if len(content) > LARGEST_ANSWER:
                    raise self._too_large(call)
                if time.monotonic() > until:
                    raise self._late(call)
        return bytes(content)

    def _url(self, call: Call) -> str:
        query = f"?{urlencode(call.query)}" if call.query else ""
        return f"{str(self._configuration.host).rstrip('/')}{quote(call.path)}{query}"

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Content-Type": call.content_type,
            "User-Agent": _USER_AGENT,
        }
        login = self._configuration.auth_settings().get("BearerToken")
        if login and login["value"]:
            headers[login["key"]] = login["value"]
        return headers

    def _late(self, call: Call) -> ClusterError:
        return ClusterError(
            tr(
                "The API server {server} did not answer in time when asked to {what}.",
                server=self._configuration.host,
                what=call.what,
            )
        )

    def _too_large(self, call: Call) -> ClusterError:
        return ClusterError(
            tr(
                "The API server {server} sent more than {most} bytes when asked to {what}. Check "
                "the address in the kubeconfig.",
                server=self._configuration.host,
                most=f"{LARGEST_ANSWER:,}",
                what=call.what,
            )
        )

    def _unreachable(self, error: BaseException) -> ClusterError:
        server = self._configuration.host
        if any(isinstance(each, SSLCertVerificationError) for each in _causes(error)):
            return ClusterError(
                tr(
                    "The certificate of {server} was not issued by the authority in the "
                    "kubeconfig. Correct certificate-authority there, if the server is the right "
                    "one.",
                    server=server,
                )
            )
        return ClusterError(
            tr(
                "The API server {server} of the target {target} cannot be reached: {reason}.",
                server=server,
                target=self._target.name,
                reason=_cause(error),
            )
        )


def _pause(retry_after: str, number: int) -> float:
    seconds = float(retry_after) if retry_after.isdecimal() else 0.25 * 2**number
    return min(seconds, _LONGEST_PAUSE)


def _cause(error: BaseException) -> str:
    """Return why, in the system's words; the client's own text repeats the address."""
    said = (each.strerror for each in _causes(error) if isinstance(each, OSError))
    return next(filter(None, said), type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it; the HTTP library keeps that as a reason or an argument."""
    pending, met = [error], set[int]()
    while pending:
        here = pending.pop()
        if id(here) in met:
            continue
        met.add(id(here))
        yield here
        within = (getattr(here, "reason", None), *here.args, here.__cause__, here.__context__)
        pending += [each for each in within if isinstance(each, BaseException)]
