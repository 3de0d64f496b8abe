from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import InvalidSchema

from geofence import __version__
from geofence.errors import ListError
from geofence.fetch.answers import Answer, Body, Missing, NotModified, Rejected
from geofence.fetch.decoding import Decoder
from geofence.fetch.http import Client
from geofence.fetch.limits import Limits
from geofence.fetch.transport import Transport
from geofence.fetch.urls import Target
from tests.support.list_server import (
    CERTIFICATE,
    Handler,
    ListServer,
    Reply,
    bomb,
    chunked_without_end,
    compressed,
    content,
    cut_short,
    dripping,
    dripping_header,
    endless,
    garbage,
    hang_up,
    redirect,
    silence,
    status,
    tagged,
)

LIST = b"192.0.2.0/24\n"


@pytest.fixture(params=["requests", "direct"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test of a plain URL goes both ways, whether it asks for a stored list or not."""
    chosen = str(request.param)
    plain = Client._transport  # noqa: SLF001 - to choose what it chooses

    def always(self: Client, wanted: Target, etag: str | None) -> Transport:
        return plain(self, wanted, (etag or '"any"') if chosen == "direct" else None)

    monkeypatch.setattr(Client, "_transport", always)
    return chosen


def get(limits: Limits, url: str, etag: str | None = None) -> Answer:
    with Client(limits) as client:
        return client.get(url, etag)


def refusal(limits: Limits, url: str) -> str:
    with Client(limits) as client, pytest.raises(ListError) as refused:
        client.get(url)
    return str(refused.value)


def test_a_body_comes_with_its_etag_once_it_is_confirmed(
    server: ListServer, limits: Limits
) -> None:
    url = server.on("/jp", tagged(LIST, '"one"'))
    assert get(limits, url) == Body(LIST, '"one"')
    assert get(limits, url, '"one"') == NotModified()
    assert get(limits, url, '"two"') == Body(LIST, '"one"')


def test_the_request_names_geofence(server: ListServer, limits: Limits) -> None:
    get(limits, server.on("/jp", content(LIST)))
    assert server.requests[0].headers["user-agent"] == f"geofence/{__version__}"


@pytest.mark.parametrize("etag", ["x\x7f", "no quotes", '"' + "x" * 500 + '"'])
def test_an_invalid_etag_is_not_kept(server: ListServer, limits: Limits, etag: str) -> None:
    assert get(limits, server.on("/jp", content(LIST, {"ETag": etag}))) == Body(LIST, None)


def test_one_connection_serves_several_requests(server: ListServer, limits: Limits) -> None:
    peers = set()

    def reply(handler: Handler) -> None:
        peers.add(handler.client_address)
        content(LIST)(handler)

    url = server.on("/jp", reply)
    with Client(limits) as client:
        for _ in range(3):
            assert client.get(url) == Body(LIST, None)
    assert len(peers) == 1


@pytest.mark.parametrize("code", [404, 410])
def test_a_missing_list_has_its_own_answer_and_no_retry(
    server: ListServer, limits: Limits, code: int
) -> None:
    url = server.on("/jp", status(code))
    answer = get(limits, url)
    assert isinstance(answer, Missing)
    assert f"{url}: HTTP {code}" in answer.problem
    assert server.asked("/jp") == 1


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_a_failure_that_may_pass_is_retried(server: ListServer, limits: Limits, code: int) -> None:
    url = server.on("/jp", status(code), status(code), content(LIST))
    assert get(limits, url) == Body(LIST, None)
    assert server.asked("/jp") == 3


def test_a_failure_that_does_not_pass_ends(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", status(500))
    assert refusal(limits, url) == f"{url}: HTTP 500 (Internal Server Error)."
    assert server.asked("/jp") == 1 + limits.retries


def test_retries_are_announced(server: ListServer, limits: Limits) -> None:
    told: list[tuple[str, float]] = []
    url = server.on("/jp", status(503), hang_up(), content(LIST))
    with Client(limits, on_retry=lambda why, wait: told.append((why, wait))) as client:
        client.get(url)
    assert [why for why, _ in told] == [
        f"{url}: HTTP 503 (Service Unavailable)",
        f"{url}: the server closes the connection without an answer",
    ]
    assert all(0 < wait <= 0.02 for _, wait in told)


@pytest.mark.parametrize("code", [400, 401, 403, 204, 206, 304, 418, 999])
def test_other_answers_fail_without_a_retry(server: ListServer, limits: Limits, code: int) -> None:
    url = server.on("/jp", status(code))
    if code == 999:
        assert refusal(limits, url) == f"{url}: HTTP 999."
        return
    assert f"{url}: HTTP {code}" in refusal(limits, url)
    assert server.asked("/jp") == 1


def test_retry_after_is_waited_for(server: ListServer, limits: Limits) -> None:
    waits: list[float] = []
    url = server.on("/jp", status(429, retry_after="0"), content(LIST))
    with Client(limits, on_retry=lambda _, wait: waits.append(wait)) as client:
        client.get(url)
    assert waits == [0.0]


@pytest.mark.parametrize("later", ["3600", "Fri, 31 Dec 2199 23:59:59 GMT"])
def test_a_long_retry_after_ends_it(server: ListServer, limits: Limits, later: str) -> None:
    url = server.on("/jp", status(503, retry_after=later))
    assert "asks for a longer pause" in refusal(limits, url)
    assert server.asked("/jp") == 1


@pytest.mark.parametrize(
    "later",
    [
        "soon",
        "-5",
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "99 Foo",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 99999999999:00:00 GMT",
        "01 Jan 2026 00:00:00 +99999999999999",
    ],
)
def test_a_strange_retry_after_changes_nothing(
    server: ListServer, limits: Limits, later: str
) -> None:
    url = server.on("/jp", status(503, retry_after=later), content(LIST))
    assert get(limits, url) == Body(LIST, None)


def test_redirects_are_followed_with_the_etag(server: ListServer, limits: Limits) -> None:
    server.on("/new", tagged(LIST, '"one"'))
    url = server.on("/jp", redirect("/new", 301))
    assert get(limits, url) == Body(LIST, '"one"')
    assert get(limits, url, '"one"') == NotModified()


def test_redirects_end(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", redirect("/jp"))
    assert refusal(limits, url) == f"{url}: more than 5 redirects."
    assert server.asked("/jp") == 1 + limits.redirects


def test_a_redirect_to_nowhere_is_refused(server: ListServer, limits: Limits) -> None:
    assert "redirects" in refusal(limits, server.on("/jp", content(b"", {}, 302)))


class Contacts:
    """Everybody to whom this process connects, or whom it looks up, meanwhile."""

    seen: list[str]
    on = False

    def __init__(self) -> None:
        self.seen = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event in ("socket.connect", "socket.getaddrinfo"):
            at = arguments[1] if event == "socket.connect" else arguments[0]
            self.seen.append(str(at[0] if isinstance(at, tuple) else at))


def test_a_redirect_to_plain_http_is_refused_without_contact(
    server: ListServer, limits: Limits
) -> None:
    contacts = Contacts()
    url = server.on("/jp", redirect("http://192.0.2.1/jp"))
    contacts.on = True
    why = refusal(limits, url)
    contacts.on = False
    assert "http://192.0.2.1/jp: only https is allowed" in why
    assert set(contacts.seen) == {"127.0.0.1"}


def test_a_body_without_end_is_cut_off(server: ListServer, limits: Limits) -> None:
    received: list[int] = []
    url = server.on("/jp", endless())
    with (
        Client(limits, on_bytes=received.append) as client,
        pytest.raises(ListError, match="more than 1,048,576 bytes"),
    ):
        client.get(url)
    assert sum(received) < 2 * limits.size
    assert server.asked("/jp") == 1


def test_a_compression_bomb_is_cut_off_by_its_decompressed_size(
    server: ListServer, limits: Limits
) -> None:
    received: list[int] = []
    url = server.on("/jp", bomb(200 << 20))
    with (
        Client(limits, on_bytes=received.append) as client,
        pytest.raises(ListError, match="more than 1,048,576 bytes"),
    ):
        client.get(url)
    assert sum(received) < 32 * limits.size


def test_a_compressed_body_is_decompressed(server: ListServer, limits: Limits) -> None:
    assert get(limits, server.on("/jp", compressed(LIST))) == Body(LIST, None)
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_an_unrequested_encoding_is_refused(
    server: ListServer, limits: Limits, encoding: str
) -> None:
    assert "not requested" in refusal(limits, server.on("/jp", compressed(LIST, encoding)))


def test_a_body_that_is_not_compressed_as_it_says(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", content(LIST, {"Content-Encoding": "gzip"}))
    assert (
        refusal(limits, url)
        == f"{url}: the body does not have the compression that its header gives."
    )


def test_a_secret_part_of_a_url_is_in_no_message(server: ListServer, limits: Limits) -> None:
    said: list[str] = []
    secret = "k3y-k3y-k3y"  # noqa: S105 - a test's
    paths = {"/k3y-k3y-k3y/a": status(503), "/k3y-k3y-k3y/b": redirect("ftp://x/k3y-k3y-k3y")}
    paths |= {"/k3y-k3y-k3y/c": redirect("/k3y-k3y-k3y/c"), "/k3y-k3y-k3y/d": bomb(2 << 20)}
    with Client(limits, on_retry=lambda why, _: said.append(why)) as client:
        for path, reply in paths.items():
            with pytest.raises(ListError) as caught:
                client.get(server.on(path, reply), secret=secret)
            said.append(str(caught.value))
    assert len(said) == len(paths) + limits.retries
    assert all(secret not in each and "…" in each for each in said), said


def test_a_status_of_failure_may_be_an_answer(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", content(b"no more", code=400))
    with Client(limits) as client:
        found = client.get(url, answers=(400,))
        assert found == Rejected(400, b"no more", f"{url}: HTTP 400 (Bad Request).")
        with pytest.raises(ListError, match="HTTP 400"):
            client.get(url)


def test_a_body_shorter_than_announced_is_refused(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", cut_short(LIST, 5))
    assert refusal(limits, url) == f"{url}: the connection ended before the body was complete."
    assert server.asked("/jp") == 1 + limits.retries


LONG = b"".join(b"192.0.%d.%d\n" % divmod(number, 256) for number in range(3_000))


def gzipped(body: bytes = LONG) -> bytes:
    return gzip.compress(body)


def raw_deflated(body: bytes = LONG) -> bytes:
    return zlib.compress(body)[2:-4]


def in_chunks(body: bytes, encoding: str, size: int = 700) -> Reply:
    """A chunked answer whose framing is whole, whatever the body is."""

    def reply(handler: Handler) -> None:
        handler.head(200, {"Transfer-Encoding": "chunked", "Content-Encoding": encoding})
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return reply


CODED = {
    "gzip": gzipped(),
    "x-gzip": gzipped(),
    "deflate": zlib.compress(LONG),
    "raw deflate": raw_deflated(),
    "two members": gzipped(LONG[:9_000]) + gzipped(LONG[9_000:]),
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("kind", CODED)
def test_a_whole_compressed_body_is_taken(
    server: ListServer, limits: Limits, kind: str, chunked: bool
) -> None:
    encoding = kind if kind == "x-gzip" else "deflate" if "deflate" in kind else "gzip"
    reply = (
        in_chunks(CODED[kind], encoding)
        if chunked
        else content(CODED[kind], {"Content-Encoding": encoding})
    )
    assert get(limits, server.on("/jp", reply)) == Body(LONG, None)


@pytest.mark.parametrize("missing", [1, 4, 8, 50, 2_000])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("kind", CODED)
def test_a_compressed_body_that_ends_before_its_trailer_is_refused(
    server: ListServer, limits: Limits, kind: str, chunked: bool, missing: int
) -> None:
    """The framing of HTTP is whole: who cut the stream announced what was left."""
    encoding = "deflate" if "deflate" in kind else "gzip"
    cut = CODED[kind][:-missing]
    reply = in_chunks(cut, encoding) if chunked else content(cut, {"Content-Encoding": encoding})
    url = server.on("/jp", reply)
    assert refusal(limits, url) == f"{url}: the connection ended before the body was complete."
    assert server.asked("/jp") == 1 + limits.retries


@pytest.mark.parametrize("at", [-8, -1, 3_000])
def test_a_compressed_body_with_a_wrong_checksum_is_refused(
    server: ListServer, limits: Limits, at: int
) -> None:
    damaged = bytearray(gzipped())
    damaged[at] ^= 0xFF
    url = server.on("/jp", content(bytes(damaged), {"Content-Encoding": "gzip"}))
    assert refusal(limits, url) == f"{url}: the compressed body is damaged."


def test_padding_after_a_compressed_body_is_ignored(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", content(gzipped() + bytes(512), {"Content-Encoding": "gzip"}))
    assert get(limits, url) == Body(LONG, None)


@given(st.binary(max_size=200_000), st.integers(1, 5_000))
def test_a_compressed_body_is_read_from_any_chunks(body: bytes, size: int) -> None:
    packed = gzip.compress(body)
    decoder = Decoder("gzip")
    pieces: list[bytes] = []
    for at in range(0, len(packed), size):
        assert not decoder.is_complete
        pieces += decoder.feed(packed[at : at + size])
    assert decoder.is_complete
    assert b"".join(pieces) == body


def test_a_compressed_body_shorter_than_announced_is_refused(
    server: ListServer, limits: Limits
) -> None:
    url = server.on("/jp", cut_short(gzip.compress(LIST)[:-8], 8, {"Content-Encoding": "gzip"}))
    assert refusal(limits, url) == f"{url}: the connection ended before the body was complete."


def test_a_chunked_body_without_its_end_is_refused(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", chunked_without_end(LIST))
    assert refusal(limits, url) == f"{url}: the connection ended before the body was complete."


def short_of_time(limits: Limits) -> Limits:
    return Limits(
        connect=limits.connect, read=0.3, body=1.0, size=limits.size, retries=1, backoff=0.01
    )


def test_no_answer_at_all(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", silence())
    assert (
        refusal(short_of_time(limits), url) == f"{url}: the server sends nothing for 0.3 seconds."
    )


@pytest.mark.parametrize(
    "reply",
    [
        dripping(LIST * 500, 0.02),
        dripping(LIST * 500, 0.02, announced=False),
        dripping_header(0.02),
    ],
)
def test_a_slow_body_is_given_up_in_time(server: ListServer, limits: Limits, reply: Reply) -> None:
    url = server.on("/jp", reply)
    started = time.monotonic()
    why = refusal(short_of_time(limits), url)
    assert why == f"{url}: no complete answer within 1 seconds."
    assert time.monotonic() - started < 30
    assert server.asked("/jp") == 1


def test_a_tls_handshake_that_drips_is_given_up_in_time(limits: Limits) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_drip_handshake, args=(listening,), daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/jp"
        assert "no complete answer within 1 seconds" in refusal(short_of_time(limits), url)


def _drip_handshake(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            try:
                connection.sendall(b"\x02")
            except OSError:
                return
            time.sleep(0.02)


def test_the_client_works_after_it_gave_something_up(server: ListServer, limits: Limits) -> None:
    slow = server.on("/slow", dripping(LIST * 500, 0.02))
    quick = server.on("/quick", content(LIST))
    with Client(short_of_time(limits)) as client:
        assert client.get(quick) == Body(LIST, None)
        with pytest.raises(ListError):
            client.get(slow)
        assert client.get(quick) == Body(LIST, None)


def test_no_descriptor_stays_behind(server: ListServer, limits: Limits) -> None:
    good = server.on("/good", content(LIST))
    closing = server.on("/closing", content(LIST, {"Connection": "close"}))
    bad = server.on("/bad", endless())
    with Client(limits) as client:
        for _ in range(5):
            client.get(good)
            client.get(closing)
            with pytest.raises(ListError):
                client.get(bad)
        assert _descriptors_of_clients(server) <= 2
    assert _descriptors_of_clients(server) == 0


def _descriptors_of_clients(server: ListServer) -> int:
    """How many of this process's descriptors are connections to the server."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            held = socket.socket(fileno=int(entry.name))
        except OSError:
            continue  # no socket
        try:
            found += held.getpeername()[1] == server.port
        except (OSError, IndexError, TypeError):
            continue  # one of another kind, or not connected
        finally:
            held.detach()  # it is somebody else's
    return found


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (hang_up(), "the server closes the connection without an answer"),
        (garbage(), "the server does not speak HTTP correctly"),
    ],
)
def test_answers_that_are_not_http_are_refused(
    server: ListServer, limits: Limits, reply: Reply, why: str
) -> None:
    url = server.on("/jp", reply)
    assert refusal(limits, url) == f"{url}: {why}."


def test_a_refused_connection_is_reported(limits: Limits) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    url = f"http://127.0.0.1:{port}/jp"
    assert refusal(limits, url) == f"{url}: connection failed (Connection refused)."


def test_a_host_that_does_not_exist(limits: Limits) -> None:
    assert "DNS lookup failed" in refusal(limits, "https://lists.invalid/jp")


@pytest.mark.parametrize("url", ["https://a..b.example/", "https://x%0d%0a/", "https://*/"])
def test_strange_hosts_give_list_errors(limits: Limits, url: str) -> None:
    assert refusal(limits, url)


def test_a_certificate_must_be_trusted(limits: Limits) -> None:
    with ListServer(tls=True) as tls:
        url = tls.on("/jp", content(LIST))
        assert f"{url}: the certificate is not trusted" in refusal(limits, url)
        assert not tls.requests


TRUST = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture
def untrusting(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no authorities."""
    for name in TRUST:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("variable", TRUST)
def test_the_environment_names_trusted_certificates(
    limits: Limits, untrusting: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    place = CERTIFICATE
    if variable == "SSL_CERT_DIR":
        place = tmp_path
        command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(CERTIFICATE)]
        name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / f"{name}.0").symlink_to(CERTIFICATE)
    untrusting.setenv(variable, str(place))
    with ListServer(tls=True) as tls:
        assert get(limits, tls.on("/jp", content(LIST))) == Body(LIST, None)


@pytest.mark.parametrize("variable", TRUST)
def test_only_certificates_named_by_the_environment_are_trusted(
    limits: Limits, untrusting: pytest.MonkeyPatch, variable: str
) -> None:
    certifis = certifi.where()
    untrusting.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(CERTIFICATE))
    untrusting.setattr("certifi.where", lambda: str(CERTIFICATE))
    untrusting.setenv(variable, certifis if variable != "SSL_CERT_DIR" else "/etc/ssl/certs")
    with ListServer(tls=True) as tls:
        assert "not trusted" in refusal(limits, tls.on("/jp", content(LIST)))


@pytest.mark.parametrize("variable", TRUST)
@pytest.mark.parametrize("place", ["/nowhere/ca.pem", "/etc/passwd"])
def test_a_variable_without_certificates_is_reported(
    limits: Limits, untrusting: pytest.MonkeyPatch, variable: str, place: str
) -> None:
    untrusting.setenv(variable, place)
    told = refusal(limits, "https://127.0.0.1:9/jp")
    assert f": not asked: certificates cannot be checked: {variable}={place}" in told


def test_certifis_authorities_are_trusted(limits: Limits, untrusting: pytest.MonkeyPatch) -> None:
    untrusting.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(CERTIFICATE))
    untrusting.setattr("certifi.where", lambda: str(CERTIFICATE))
    with ListServer(tls=True) as tls:
        assert get(limits, tls.on("/jp", content(LIST))) == Body(LIST, None)


def test_the_systems_authorities_are_trusted(
    tmp_path: Path, untrusting: pytest.MonkeyPatch
) -> None:
    """A company's own authority is in no other place."""
    assert untrusting
    bundle = tmp_path / "bundle"
    bundle.write_bytes(Path(certifi.where()).read_bytes() + CERTIFICATE.read_bytes())
    program = (
        "import sys; from geofence.fetch.http import Client; from geofence.fetch.limits import "
        "Limits; print(Client(Limits()).get(sys.argv[1]).content)"
    )
    bind = 'mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && shift && exec "$@"'
    with ListServer(tls=True) as tls:
        url = tls.on("/jp", content(LIST))
        command = ["unshare", "--mount", "sh", "-c", bind, "sh", str(bundle)]
        done = subprocess.run(
            [*command, sys.executable, "-c", program, url],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == f"{LIST!r}\n", done.stderr


def test_https(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with ListServer(tls=True) as tls:
        assert get(limits, tls.on("/jp", tagged(LIST, '"one"'))) == Body(LIST, '"one"')
        slow = tls.on("/slow", dripping(LIST * 500, 0.02))
        assert "no complete answer" in refusal(short_of_time(limits), slow)


def test_credentials_of_the_url_are_sent_to_its_host_only(
    server: ListServer, limits: Limits
) -> None:
    server.on("/new", content(LIST))
    server.on("/jp?token=secret", redirect("/new"))
    get(limits, f"http://me:pw@127.0.0.1:{server.port}/jp?token=secret")
    first, second = server.requests
    assert first.headers["authorization"] == "Basic bWU6cHc="
    assert "authorization" not in second.headers


def test_messages_hold_no_secrets(server: ListServer, limits: Limits) -> None:
    server.on("/jp?token=secret", status(403))
    why = refusal(limits, f"http://me:pw@127.0.0.1:{server.port}/jp?token=secret")
    assert "secret" not in why
    assert "pw" not in why


def test_netrc_is_not_used(
    server: ListServer, limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password pw\n")
    monkeypatch.setenv("NETRC", str(netrc))
    get(limits, server.on("/jp", content(LIST)))
    assert "authorization" not in server.requests[0].headers


def test_cookies_are_not_kept(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp", content(LIST, {"Set-Cookie": "who=me"}))
    with Client(limits) as client:
        client.get(url)
        client.get(url)
    assert all("cookie" not in request.headers for request in server.requests)


def test_the_proxy_of_the_environment_is_used_but_not_for_the_loopback(
    server: ListServer, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        unused = f"http://127.0.0.1:{listening.getsockname()[1]}"
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, unused)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert get(limits, server.on("/jp", content(LIST))) == Body(LIST, None)
    assert "the proxy does not work" in refusal(limits, "https://lists.invalid/jp")


def _no_socks(*_: object, **__: object) -> None:
    """What requests has there without PySocks, which libraries of other tests bring along."""
    raise InvalidSchema("Missing dependencies for SOCKS support.")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
def test_a_socks_proxy_without_pysocks_is_reported(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", _no_socks)
    forget_proxies(monkeypatch)
    monkeypatch.setenv(variable, f"{scheme}://127.0.0.1:9")
    told = refusal(limits, "https://lists.invalid/jp")
    assert told.startswith(
        "https://lists.invalid/jp: HTTPS_PROXY or ALL_PROXY is set to a SOCKS proxy"
    )
    assert "PySocks is not installed" in told
    assert f"'{sys.executable} -m pip install PySocks'" in told


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:9", "http://", "gopher:9"])
def test_an_invalid_proxy_is_reported(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    forget_proxies(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    told = refusal(limits, "https://lists.invalid/jp")
    assert "prox" in told
    assert "does not speak HTTP" not in told


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_run_that_ends_ends_its_bodies(server: ListServer, limits: Limits) -> None:
    stop = threading.Event()
    stop.set()
    url = server.on("/jp", content(LIST))
    with Client(limits, stop) as client, pytest.raises(ListError, match="the run ended"):
        client.get(url)


@pytest.mark.parametrize("etag", [None, '"old"'])
@pytest.mark.parametrize("ended", [True, False])
def test_a_body_without_a_length_is_whole_only_if_tls_says_that_it_ended(
    limits: Limits, untrusting: pytest.MonkeyPatch, etag: str | None, ended: bool
) -> None:
    """Whoever is on the way can end a TCP connection, and so cut a list short at any line."""
    untrusting.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    def unframed(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"})
        handler.wfile.write(LIST)
        assert isinstance(handler.connection, ssl.SSLSocket)
        if ended:
            with contextlib.suppress(OSError):  # who answers with TCP's end alone
                handler.connection.unwrap()
        handler.connection.shutdown(socket.SHUT_RDWR)

    with ListServer(tls=True) as tls:
        url = tls.on("/jp", unframed)
        if ended:
            assert get(limits, url, etag) == Body(LIST, None)
        else:
            with pytest.raises(ListError, match="the TLS connection was cut off"):
                get(limits, url, etag)
