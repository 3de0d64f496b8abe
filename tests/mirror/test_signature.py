"""Signatures: minisign's own format, and nothing that was changed after it was signed."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import ListError, MirrorError
from geofence.mirror.signature import key_id, new_key, signed, signing_key, verified
from tests.mirror.made import KEY
from tests.project.documents import TOP, fenced

DOWNLOADED = TOP / ".venv" / "peers-mirror"

CONTENT = b'{"format": "geofence mirror 1"}\n'
DOCUMENT = signed(CONTENT, KEY)
OTHER = new_key()

PUBLISHED = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
PUBLISHED_SIGNATURE = (
    b"untrusted comment: signature from minisign secret key\n"
    b"RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351v"
    b"wIasSSbXxwA=\n"
    b"trusted comment: timestamp:1555779966\tfile:test\n"
    b"QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n"
)
"""The example of minisign's page: it signs the word ``test``."""


def test_what_minisign_itself_signed_is_verified() -> None:
    assert verified(PUBLISHED_SIGNATURE + b"test", [PUBLISHED]).content == b"test"


def test_a_signature_is_verified_with_its_key_among_others() -> None:
    found = verified(DOCUMENT, [OTHER.public, KEY.public])
    assert found == (CONTENT, key_id(KEY.public))


@pytest.mark.parametrize("keys", [[], [OTHER.public], ["RWQ="]], ids=["none", "another", "short"])
def test_a_signature_of_another_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(ListError, match="not signed by a key"):
        verified(DOCUMENT, keys)


@settings(deadline=None)
@given(st.integers(0, len(DOCUMENT) - 1), st.integers(1, 255))
def test_a_document_with_one_byte_changed_is_refused_or_says_the_same(at: int, bits: int) -> None:
    changed = bytearray(DOCUMENT)
    changed[at] ^= bits
    try:
        found = verified(bytes(changed), [KEY.public])
    except ListError:
        return
    assert found.content == CONTENT
    assert at < DOCUMENT.index(b"\n")  # the first line is a comment that nothing protects


@settings(deadline=None)
@given(st.integers(0, len(DOCUMENT) - 1))
def test_a_document_cut_short_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ListError):
        verified(DOCUMENT[:length], [KEY.public])


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_a_mirror_sends_is_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(ListError):
        verified(body, [KEY.public])


def test_the_number_of_a_key_that_another_key_pretends_to_have_does_not_help() -> None:
    raw = base64.b64decode(KEY.public)
    forged = base64.b64encode(raw[:10] + base64.b64decode(OTHER.public)[10:]).decode()
    with pytest.raises(ListError):
        verified(DOCUMENT, [forged])


def test_a_secret_key_is_read_again_and_never_shown() -> None:
    again = signing_key(KEY.secret)
    assert again.public == KEY.public
    assert KEY.secret.split()[-1].decode() not in repr(again)


@pytest.mark.parametrize(
    "secret",
    [b"", b"secret", KEY.public.encode(), KEY.secret[:-9] + b"A\n"],
    ids=["nothing", "a word", "the public key", "cut short"],  # keys differ in each process
)
def test_what_is_not_a_secret_key_is_refused_without_a_word_of_it(secret: bytes) -> None:
    with pytest.raises(MirrorError) as caught:
        signing_key(secret)
    assert str(caught.value) == "It does not have a secret key of minisign."


def test_a_key_with_a_password_is_refused() -> None:
    from minisign import SecretKey

    key = SecretKey.from_bytes(KEY.secret)
    key.encrypt("hunter2", opslimit=1 << 15, memlimit=1 << 20)
    with pytest.raises(MirrorError, match="has a password"):
        signing_key(bytes(key))


def test_minisign_checks_an_index_as_the_documentation_says(tmp_path: Path) -> None:
    packages = sorted(DOWNLOADED.glob("*.deb"))
    assert packages, "./bootstrap test downloads them, as root and with apt"
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    (tmp_path / "index.signed").write_bytes(DOCUMENT)
    environment = {
        "PATH": f"{tmp_path}/usr/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": ":".join(str(each) for each in tmp_path.glob("usr/lib/*-linux-gnu")),
    }
    [commands] = [each for each in fenced("docs/fleets.md", "sh") if "minisign -V" in each]
    script = commands.replace("RWQ…", KEY.public).partition("\n")[2]  # the download comes first
    checked = ["sh", "-ec", script]
    done = subprocess.run(checked, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert b"Signature and comment signature verified" in done.stdout, done.stderr
    (tmp_path / "index.signed").write_bytes(DOCUMENT.replace(b"mirror 1", b"mirror 2"))
    assert subprocess.run(checked, cwd=tmp_path, env=environment, check=False).returncode


@pytest.mark.parametrize("text", ["", "RW", "é", PUBLISHED[:-1], PUBLISHED.replace("RWQ", "AAQ")])
def test_what_is_not_a_public_key_has_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A" + re.escape(text) + r"\Z"):
        key_id(text)
