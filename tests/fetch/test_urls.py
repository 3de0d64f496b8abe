from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.fetch.urls import Target, public, redirected, target


@pytest.mark.parametrize(
    "url",
    [
        "https://lists.example/jp.json",
        "https://lists.example:8443/jp.json?x=1",
        "http://127.0.0.1:8000/jp.json",
        "http://127.9.9.9/jp.json",
        "http://[::1]/jp.json",
        "http://localhost/jp.json",
    ],
)
def test_https_and_http_from_the_loopback_may_be_fetched(url: str) -> None:
    assert target(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://lists.example/jp.json",
        "http://127.0.0.1.lists.example/jp.json",
        "http://localhost.lists.example/",
        "http://localhost@lists.example/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/jp",
        "file://localhost/etc/passwd",
    ],
)
def test_nothing_else_may(url: str) -> None:
    with pytest.raises(ListError, match="only https is allowed"):
        target(url)


@pytest.mark.parametrize("url", ["", "jp.json", "https://", "https:///jp", "https://[::1"])
def test_invalid_urls_are_reported(url: str) -> None:
    with pytest.raises(ListError, match="is not a URL of a list"):
        target(url)


def test_credentials_are_taken_out_of_the_url() -> None:
    found = target("https://me:p%40ss@lists.example/jp#part")
    assert found == Target("https://lists.example/jp", ("me", "p@ss"), loopback=False)


@pytest.mark.parametrize("url", ["http://me:pw@lists.example/", "https://me:pw@/", "ftp://me:pw@x"])
def test_refusals_show_no_credentials(url: str) -> None:
    with pytest.raises(ListError) as refused:
        target(url)
    assert "pw" not in str(refused.value)


def test_shown_urls_have_no_credentials_and_no_query() -> None:
    assert public("https://me:pw@h.example/a?token=s#f") == "https://h.example/a?…"


def test_relative_redirects_stay_with_their_host() -> None:
    source = target("https://me:pw@lists.example/a/b")
    assert redirected(source, "../c") == Target("https://lists.example/c", None, loopback=False)


@pytest.mark.parametrize(
    ("source", "location", "why"),
    [
        ("https://a.example/", "http://b.example/", "only https is"),
        ("https://a.example/", "http://127.0.0.1/", "redirects to this host"),
        ("https://a.example/", "https://localhost/", "redirects to this host"),
        ("http://127.0.0.1/", "http://b.example/", "only https is"),
        ("https://a.example/", "file:///etc/passwd", "the redirect is refused"),
        ("https://a.example/", "https://[", "redirects to an invalid URL"),
    ],
)
def test_redirects_that_are_not_followed(source: str, location: str, why: str) -> None:
    with pytest.raises(ListError, match=why):
        redirected(target(source), location)


@given(st.text())
def test_any_text_is_a_target_or_a_list_error(text: str) -> None:
    for url in (text, f"https://{text}", f"http://127.0.0.1/{text}"):
        assert public(url).isprintable()
        try:
            found = target(url)
        except ListError:
            continue
        assert found.loopback or found.url.startswith("https://")
