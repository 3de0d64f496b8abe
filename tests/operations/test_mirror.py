"""A mirror that is cut short while it is written: others find the one before."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from geofence.errors import StateError
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate
from geofence.mirror import index as index_file
from geofence.mirror.index import Index
from geofence.mirror.signature import verified
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.notes import NoteKind
from geofence.operations import mirror
from geofence.operations.site import Site
from geofence.sentences import sentence
from geofence.state.files import write_atomically
from tests.lists.bodies import country_json
from tests.mirror.made import NOON

CODES = ("JP", "DE")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An installation with two lists that publishes."""
    rules = tmp_path / "rules"
    rules.mkdir(mode=0o755)
    made = Site(rules, tmp_path / "state", log_changes=False)
    made.state_directory.mkdir(mode=0o700)
    mirror.make_key(tmp_path / "key")
    text = (
        '[allow]\ncountries = ["JP", "DE"]\n[mirror]\n'
        f'directory = "{tmp_path / "www"}"\nkey_file = "{tmp_path / "key"}"\n'
    )
    file = rules / "50-mirror.toml"
    file.write_text(text)
    file.chmod(0o644)
    store(made, "192.0.2.0/24")
    return made


def store(site: Site, prefix: str, query: str = "") -> None:
    """Accept lists that have this prefix, the first from a URL with a query."""
    for code in CODES:
        body = country_json(code, [prefix, f"203.0.{CODES.index(code)}.0/24"])
        wanted = ListId(ListKind.COUNTRY, code)
        parsed = parse_part(wanted, None, body, "json")
        url = f"https://example.org/{code}.json" + (query if code == CODES[0] else "")
        origin = Provenance(url, None, sha256(body).hexdigest(), NOON, NOON, format="json")
        site.lists.save(Candidate(AcceptedList(wanted, parsed.space, (origin,)), (body,), parsed))


def whole(site: Site) -> Index:
    """What others read; every list of it must be there as the index says."""
    directory = Path(site.policy().publishing.directory)
    public = mirror.publish(site).public_key if not directory.exists() else _public(site)
    found = index_file.read(verified((directory / "index.signed").read_bytes(), [public]).content)
    for entry in found.lists.values():
        for part in entry.parts:
            assert sha256((directory / part.path).read_bytes()).hexdigest() == part.sha256
    return found


def _public(site: Site) -> str:
    from geofence.mirror.signature import signing_key

    return signing_key(Path(site.policy().publishing.key_file).read_bytes()).public


def failing_at(number: int) -> Callable[[Path, bytes, int], None]:
    """Writing that fails at the given time."""
    real, written = write_atomically, 0

    def write(path: Path, data: bytes, mode: int = 0o600) -> None:
        nonlocal written
        if written == number:
            raise StateError("The power is gone.")
        written += 1
        real(path, data, mode)

    return write


@pytest.mark.parametrize("number", range(3))
def test_a_mirror_that_is_cut_short_is_the_one_before(
    site: Site, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    mirror.publish(site)
    before = whole(site)
    store(site, "198.51.100.0/24")
    with monkeypatch.context() as patch:
        patch.setattr("geofence.operations.mirror.write_atomically", failing_at(number))
        with pytest.raises(StateError):
            mirror.publish(site)
    assert whole(site) == before
    mirror.publish(site)
    after = whole(site)
    assert after.serial > before.serial
    assert after.paths.isdisjoint(before.paths)


def test_a_mirror_that_is_lost_goes_on_with_a_higher_serial_number(site: Site) -> None:
    mirror.publish(site)
    before = whole(site)
    shutil.rmtree(site.policy().publishing.directory)
    mirror.publish(site)
    assert whole(site).serial >= before.serial


@pytest.mark.parametrize("damage", [b"", b"untrusted comment: x\n", b"\xff" * 500])
def test_an_index_that_is_damaged_is_written_anew(site: Site, damage: bytes) -> None:
    mirror.publish(site)
    file = Path(site.policy().publishing.directory) / "index.signed"
    file.write_bytes(damage)
    mirror.publish(site)
    assert set(whole(site).lists) == {ListId(ListKind.COUNTRY, code) for code in CODES}


def test_lists_that_were_never_downloaded_are_named_and_left_out(site: Site) -> None:
    (site.rules_directory / "60-more.toml").write_text('[allow]\ncountries = ["JP", "FR"]\n')
    (site.rules_directory / "60-more.toml").chmod(0o644)
    published = mirror.publish(site)
    assert list(published.index.lists) == [ListId(ListKind.COUNTRY, "JP")]
    assert published.left_out == (ListId(ListKind.COUNTRY, "FR"),)


def test_a_list_that_was_fetched_by_a_key_is_given_to_others_if_the_rules_say_so(
    site: Site,
) -> None:
    mirror.publish(site)
    keyed, free = (ListId(ListKind.COUNTRY, code) for code in CODES)
    store(site, "198.51.100.0/24", "?license_key=secret")
    published = mirror.publish(site)
    assert (list(published.index.lists), published.withheld) == ([free], (keyed,))
    [note] = mirror.publish_if_asked(site)
    assert note.kind is NoteKind.MIRROR_WITHHOLDS
    assert "secret" not in sentence(note)
    file = site.rules_directory / "50-mirror.toml"
    file.write_text(f"{file.read_text()}keyed = true\n")
    published = mirror.publish(site)
    assert (set(published.index.lists), published.withheld) == ({keyed, free}, ())
    assert mirror.publish_if_asked(site) == ()


def test_files_of_others_stay_in_the_directory_of_lists(site: Site) -> None:
    directory = Path(site.policy().publishing.directory)
    mirror.publish(site)
    theirs = [directory / "lists" / name for name in ("README", "0" * 63, "0" * 64 + ".txt")]
    for path in theirs:
        path.write_text("not of geofence")
    old = directory / "lists" / ("0" * 64)
    old.write_text("a body of an old index")
    link = directory / "lists" / ("1" * 64)
    link.symlink_to(theirs[0])
    mirror.publish(site)
    assert not old.exists()
    assert link.is_symlink()
    assert [path.read_text() for path in theirs] == ["not of geofence"] * 3


def test_a_directory_that_others_could_exchange_is_not_written(site: Site, tmp_path: Path) -> None:
    above = tmp_path / "shared"
    above.mkdir()
    file = site.rules_directory / "50-mirror.toml"
    file.write_text(file.read_text().replace(str(tmp_path / "www"), str(above / "www")))
    mirror.publish(site)
    before = (above / "www" / "index.signed").read_bytes()
    above.chmod(0o777)
    with pytest.raises(StateError, match="Others could have exchanged"):
        mirror.publish(site)
    assert (above / "www" / "index.signed").read_bytes() == before


def test_a_key_that_could_not_be_written_whole_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "mirror.key"
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StateError, match="No space left"):
            mirror.make_key(path)
    assert not path.exists()
    assert mirror.make_key(path).public
