"""Which requests go by Python's own client: tests/fetch/test_http.py has how both behave."""

from __future__ import annotations

import subprocess
import sys

import pytest

from geofence.fetch.direct import is_plain
from geofence.fetch.urls import target
from tests.support.list_server import CERTIFICATE, ListServer, tagged

_ASK = """
import sys
from geofence.fetch.http import Client
from geofence.fetch.limits import Limits
with Client(Limits()) as client:
    print(client.get(sys.argv[1], sys.argv[2] or None))
print("requests" in sys.modules)
"""


def _asked(url: str, etag: str) -> str:
    command = [sys.executable, "-c", _ASK, url, etag]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("tls", [False, True])
def test_requests_is_not_imported_to_ask_whether_a_list_is_unchanged(
    tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with ListServer(tls=tls) as server:
        url = server.on("/jp", tagged(b"192.0.2.0/24\n", '"one"'))
        assert _asked(url, '"one"') == "NotModified()\nFalse\n"
        assert _asked(url, '"old"').endswith("False\n")


def test_a_list_that_is_not_stored_is_downloaded_by_requests() -> None:
    with ListServer() as server:
        url = server.on("/jp", tagged(b"192.0.2.0/24\n", '"one"'))
        assert _asked(url, "").endswith("True\n")


@pytest.mark.parametrize(
    "url",
    [
        "https://raw.example/ipverse/country-ip-blocks/master/country/jp/aggregated.json",
        "https://cdn.example/gh/ipverse/blocks@master/jp/ipv4-aggregated.txt",
        "https://192.0.2.1:8443/jp",
        "https://[2001:db8::1]/jp",
        "http://127.0.0.1:8080/jp",
    ],
)
def test_urls_of_lists_are_plain(url: str) -> None:
    assert is_plain(target(url), {})


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@lists.example/jp",
        "https://lists.example/jp?key=secret",
        "https://lists.example/j%70",
        "https://lists.example/a b",
        "https://lists.example/a/../jp",
        "https://lists.example/./jp",
        "https://lists.example/.hidden",
        "https://Lists.example/jp",
        "https://lists.example./jp",
        "https://lists_.example/jp",
        "https://b\u00fccher.example/jp",
        "https://lists.example/b\u00fccher",
        "https://[fe80::1%25eth0]/jp",
        "https://lists.example",
    ],
)
def test_all_other_urls_are_left_to_requests(url: str) -> None:
    assert not is_plain(target(url), {})


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_any_proxy_is_left_to_requests_but_not_for_the_loopback(name: str) -> None:
    proxy = {name: "http://proxy.example:3128"}
    assert not is_plain(target("https://lists.example/jp"), proxy)
    assert is_plain(target("https://lists.example/jp"), {name: ""})
    assert is_plain(target("http://127.0.0.1/jp"), proxy)
