"""Checksums beside lists, on a real server and on disk."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.fetch.checksums import require_match
from geofence.fetch.events import Failed, FetchReport, Renewed, Unchanged
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Blocklist, Policy
from geofence.model.prefixes import Family
from tests.lists.bodies import asn_json, country_json, country_text
from tests.support.list_server import ListServer, content, status, tagged

JP = ListId(ListKind.COUNTRY, "JP")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
GOOD = country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"])


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def fetch(limits: Limits, policy: Policy, wanted: ListId, *stored: AcceptedList) -> FetchReport:
    known = {each.id: each for each in stored}
    return fetch_lists([wanted], policy, known, lambda: NOON, limits=limits)


def accepted(limits: Limits, policy: Policy, wanted: ListId = JP) -> AcceptedList:
    outcome = fetch(limits, policy, wanted).outcomes[wanted]
    assert isinstance(outcome, Renewed), outcome
    return outcome.candidate.accepted


def why(limits: Limits, policy: Policy, wanted: ListId = JP) -> str:
    outcome = fetch(limits, policy, wanted).outcomes[wanted]
    assert isinstance(outcome, Failed), outcome
    return outcome.why


def countries(server: ListServer, path: str = "/{cc}.json") -> Policy:
    return Policy(country_urls=(server.url(path),), country_checksum="{url}.sha256")


@pytest.mark.parametrize(
    "form",
    [
        "{hash}",
        "{hash}\n",
        "{hash}  jp.json\n",
        "{hash} *jp.json\r\n",
        "{hash}  ./lists/jp.json\n",
        "{hash}  -\n",
        "SHA256 (jp.json) = {hash}\n",
        "# made today\n{other}  us.json\n{hash}  jp.json\n",
    ],
)
def test_a_list_that_matches_is_taken(server: ListServer, limits: Limits, form: str) -> None:
    server.on("/jp.json", content(GOOD))
    body = form.format(hash=sha256(GOOD), other="0" * 64)
    server.on("/jp.json.sha256", content(body.encode()))
    assert accepted(limits, countries(server)).space
    server.on("/jp.json.sha256", content(body.upper().replace("JP.JSON", "jp.json").encode()))
    assert accepted(limits, countries(server)).space


def test_sha512(server: ListServer, limits: Limits) -> None:
    server.on("/jp.json", content(GOOD))
    server.on("/jp.json.sha256", content(hashlib.sha512(GOOD).hexdigest().encode()))
    assert accepted(limits, countries(server)).space


def test_a_list_that_differs_is_refused_and_the_next_source_is_tried(
    server: ListServer, limits: Limits
) -> None:
    url = server.on("/jp.json", content(GOOD))
    server.on("/jp.json.sha256", content(f"{sha256(b'else')}  jp.json\n".encode()))
    policy = countries(server)
    assert why(limits, policy) == (
        f"The list country JP could not be renewed: {url}: the list does not match its checksum. "
        f"Its hash is {sha256(GOOD)[:16]}…, but {url}.sha256 says {sha256(b'else')[:16]}…."
    )
    server.on("/b/jp.json", content(GOOD))
    server.on("/b/jp.json.sha256", content(sha256(GOOD).encode()))
    both = replace(policy, country_urls=(*policy.country_urls, server.url("/b/{cc}.json")))
    assert accepted(limits, both).provenance[0].url.endswith("/b/jp.json")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"<html>not found</html>",
        b"0123",
        f"{sha256(GOOD)}  us.json\n".encode(),
        f"{sha256(GOOD)}\n{sha256(GOOD)}\n".encode(),
        f"{sha256(GOOD)}  jp.json\n{'0' * 64}  x/jp.json\n".encode(),
        f"{sha256(GOOD)}0  jp.json\n".encode(),
        b"\xff" * 64,
    ],
)
def test_what_has_no_checksum_of_the_list_is_refused(
    server: ListServer, limits: Limits, said: bytes
) -> None:
    server.on("/jp.json", content(GOOD))
    server.on("/jp.json.sha256", content(said))
    told = why(limits, countries(server))
    assert "/jp.json.sha256: there is no SHA-256 or SHA-512 checksum of jp.json" in told


def test_a_checksum_that_is_missing_refuses_the_list(server: ListServer, limits: Limits) -> None:
    url = server.on("/jp.json", content(GOOD))
    told = why(limits, countries(server))
    assert f"{url}: its checksum could not be fetched ({url}.sha256: HTTP 404 (Not Found))" in told
    server.on("/jp.json.sha256", status(403))
    assert f"{url}.sha256: HTTP 403 (Forbidden)" in why(limits, countries(server))


def test_one_file_with_the_checksums_of_all(server: ListServer, limits: Limits) -> None:
    parts = {
        f"jp-{family}.txt": country_text("JP", family, [prefix])
        for family, prefix in ((Family.IPV4, "192.0.2.0/24"), (Family.IPV6, "2001:db8::/32"))
    }
    for name, body in parts.items():
        server.on(f"/{name}", content(body))
    sums = "".join(f"{sha256(body)}  {name}\n" for name, body in parts.items())
    server.on("/SHA256SUMS", content(sums.encode()))
    policy = replace(
        countries(server, "/{cc}-{family}.txt"), country_checksum=server.url("/SHA256SUMS")
    )
    assert len(accepted(limits, policy).provenance) == 2
    server.on("/jp-ipv6.txt", content(country_text("JP", Family.IPV6, ["2001:db8::/33"])))
    assert "/jp-ipv6.txt: the list does not match" in why(limits, policy)


def test_an_unchanged_list_needs_no_checksum(server: ListServer, limits: Limits) -> None:
    server.on("/jp.json", tagged(GOOD, '"one"'))
    server.on("/jp.json.sha256", content(sha256(GOOD).encode()))
    before = accepted(limits, countries(server))
    assert isinstance(fetch(limits, countries(server), JP, before).outcomes[JP], Unchanged)
    assert server.asked("/jp.json.sha256") == 1


def test_the_checksum_of_a_gzip_file_on_disk_is_that_of_the_file(
    tmp_path: Path, limits: Limits
) -> None:
    packed = gzip.compress(GOOD)
    (tmp_path / "jp.json.gz").write_bytes(packed)
    (tmp_path / "jp.json.gz.sha256").write_text(f"{sha256(packed)}  jp.json.gz\n")
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    policy = Policy(country_urls=(f"{tmp_path}/{{cc}}.json.gz",), country_checksum="{url}.sha256")
    assert accepted(limits, policy).space
    (tmp_path / "jp.json.gz.sha256").chmod(0o666)
    assert "jp.json.gz.sha256: it can be written by everyone" in why(limits, policy)


def test_the_checksum_of_a_gzip_file_from_a_server_is_that_of_the_file(
    server: ListServer, limits: Limits
) -> None:
    packed = gzip.compress(GOOD)
    server.on("/jp.json.gz", content(packed))
    server.on("/jp.json.gz.sha256", content(sha256(packed).encode()))
    assert accepted(limits, countries(server, "/{cc}.json.gz")).space
    server.on("/jp.json.gz.sha256", content(sha256(GOOD).encode()))
    assert "does not match its checksum" in why(limits, countries(server, "/{cc}.json.gz"))


def test_of_blocklists_and_as_numbers(server: ListServer, limits: Limits) -> None:
    drop, body = ListId(ListKind.BLOCKLIST, "drop"), b"192.0.2.0/24\n"
    url = server.on("/drop.txt", content(body))
    blocklists = Policy(blocklists=(Blocklist("drop", urls=(url,), checksum="{url}.sha256"),))
    server.on("/drop.txt.sha256", content(sha256(body).encode()))
    assert accepted(limits, blocklists, drop).space
    server.on("/drop.txt", content(body * 2))
    assert "does not match its checksum" in why(limits, blocklists, drop)

    ocn, body = ListId(ListKind.ASN, "4713"), asn_json(4713, ["192.0.2.0/24"])
    server.on("/4713.json", content(body))
    server.on("/4713.sum", content(sha256(body).encode()))
    asns = Policy(asn_urls=(server.url("/{asn}.json"),), asn_checksum=server.url("/{asn}.sum"))
    assert accepted(limits, asns, ocn).space
    server.on("/4713.sum", content(sha256(b"").encode()))
    assert "does not match its checksum" in why(limits, asns, ocn)


@given(st.binary(max_size=200), st.text(max_size=300))
def test_only_the_right_hash_is_a_match(body: bytes, said: str) -> None:
    with pytest.raises(ListError):
        require_match(body, "/x/jp.json", said.encode(errors="replace"), "/x/sums")


@given(
    st.binary(max_size=200),
    st.lists(st.sampled_from(("a.txt", "b.txt", "jp.json")), unique=True),
    st.sampled_from(("{h}  {n}\n", "{h} *{n}\n", "SHA256 ({n}) = {h}\n", "{h}\t./d/{n}\r\n")),
)
def test_each_named_file_has_its_own(body: bytes, names: list[str], form: str) -> None:
    sums = "".join(
        form.format(h=sha256(body if name == "jp.json" else name.encode()), n=name)
        for name in names
    ).encode()
    if "jp.json" in names:
        require_match(body, "https://a.example/x/jp.json?y", sums, "/sums")
    else:
        with pytest.raises(ListError, match=r"no SHA-256 or SHA-512 checksum of jp\.json"):
            require_match(body, "https://a.example/x/jp.json?y", sums, "/sums")
