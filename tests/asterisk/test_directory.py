"""The configuration directory on disk: links, containers, and files that are none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.asterisk import directory as edge
from geofence.asterisk.reader import read_configuration
from geofence.asterisk.reading import Reading
from geofence.asterisk.reading import WarningKind as Kind
from geofence.errors import AsteriskError
from tests.asterisk.told import OPEN, UDP, sockets, unseen, warned

ROOT = os.geteuid() == 0


def write(place: Path, text: str = "") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def link(place: Path, target: str | Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A directory that is not behind a container's root."""
    return write(tmp_path / "conf" / "asterisk.conf").parent


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """The same as a container has it, below its root."""
    return write(tmp_path / "root" / "etc" / "asterisk" / "asterisk.conf").parent


def test_a_link_to_a_file_outside_is_followed(host: Path, tmp_path: Path) -> None:
    write(tmp_path / "modules" / "core" / "pjsip.conf", UDP)
    link(host / "pjsip.conf", tmp_path / "modules" / "core" / "pjsip.conf")
    assert sockets(read_configuration(host)) == {OPEN}


def test_includes_of_a_linked_file_stay_in_the_configuration(host: Path, tmp_path: Path) -> None:
    write(tmp_path / "core" / "pjsip.conf", "#include more.conf\n")
    write(tmp_path / "core" / "more.conf", "[b]\ntype=transport\nbind=0.0.0.0:666\n")
    link(host / "pjsip.conf", tmp_path / "core" / "pjsip.conf")
    write(host / "more.conf", UDP)
    assert sockets(read_configuration(host)) == {OPEN}


def test_a_linked_directory_is_followed(host: Path, tmp_path: Path) -> None:
    write(tmp_path / "d" / "1.conf", UDP)
    link(host / "d", "../d")
    write(host / "pjsip.conf", "#include d/*.conf\n")
    assert sockets(read_configuration(host)) == {OPEN}


def test_an_absolute_link_in_a_container_means_its_root(container: Path, tmp_path: Path) -> None:
    write(tmp_path / "root" / "var" / "www" / "pjsip.conf", UDP)
    link(container / "pjsip.conf", "/var/www/pjsip.conf")
    assert sockets(read_configuration(container)) == {OPEN}


def test_an_absolute_link_in_a_container_never_means_the_host(
    container: Path, tmp_path: Path
) -> None:
    secret = write(tmp_path / "secret.conf", "[b]\ntype=transport\nbind=0.0.0.0:666\n")
    write(container / "pjsip.conf", f"{UDP}#include extra.conf\n")
    link(container / "extra.conf", secret)
    reading = read_configuration(container)
    assert (sockets(reading), reading.invalid) == ({OPEN}, ())
    assert unseen(reading) == {Kind.OUTSIDE}


def test_a_relative_link_does_not_climb_out_of_a_container(container: Path, tmp_path: Path) -> None:
    write(tmp_path / "pjsip.conf", "[b]\ntype=transport\nbind=0.0.0.0:666\n")
    write(tmp_path / "root" / "pjsip.conf", UDP)
    link(container / "pjsip.conf", "../../../../../pjsip.conf")
    assert sockets(read_configuration(container)) == {OPEN}


def test_a_link_within_a_linked_directory_is_relative_to_where_that_is(
    container: Path, tmp_path: Path
) -> None:
    write(tmp_path / "root" / "opt" / "b" / "pjsip.conf", UDP)
    link(tmp_path / "root" / "opt" / "a" / "pjsip.conf", "../b/pjsip.conf")
    link(container / "d", "/opt/a")
    link(container / "pjsip.conf", "d/pjsip.conf")
    assert sockets(read_configuration(container)) == {OPEN}


@pytest.mark.parametrize("target", ["/etc/asterisk/real.conf", "/etc/asterisk/d/../real.conf"])
def test_a_link_to_etc_asterisk_means_this_directory(host: Path, target: str) -> None:
    write(host / "real.conf", UDP)
    (host / "d").mkdir()
    link(host / "pjsip.conf", target)
    assert sockets(read_configuration(host)) == {OPEN}


def test_a_configuration_may_itself_be_a_link(host: Path, tmp_path: Path) -> None:
    write(tmp_path / "more" / "1.conf", UDP)
    link(host / "d", "../more")
    write(host / "pjsip.conf", "#include d/1.conf\n")
    link(tmp_path / "elsewhere" / "deep" / "link", host)
    assert sockets(read_configuration(tmp_path / "elsewhere" / "deep" / "link")) == {OPEN}


def test_a_configuration_that_is_a_link_in_a_container_stays_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root / "data" / "asterisk" / "pjsip.conf", "#include /etc/asterisk/1.conf\n")
    write(root / "data" / "asterisk" / "1.conf", UDP)
    link(root / "etc" / "asterisk", "/data/asterisk")
    assert sockets(read_configuration(root / "etc" / "asterisk")) == {OPEN}


def test_a_container_may_be_behind_a_link(container: Path, tmp_path: Path) -> None:
    write(container.parents[1] / "real.conf", UDP)
    link(container / "pjsip.conf", "../../../../real.conf")
    link(tmp_path / "other", tmp_path / "root")
    assert sockets(read_configuration(tmp_path / "other" / "etc" / "asterisk")) == {OPEN}


def test_a_configuration_of_a_host_that_a_container_links_to_is_not_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "pjsip.conf", UDP).parent
    link(tmp_path / "root" / "etc" / "asterisk", outside)
    with pytest.raises(AsteriskError, match="There is no Asterisk configuration"):
        read_configuration(tmp_path / "root" / "etc" / "asterisk")


def test_an_absolute_include_of_the_directory_itself_is_inside(host: Path) -> None:
    write(host / "more.conf", UDP)
    write(host / "pjsip.conf", f"#include {host}/more.conf\n")
    assert sockets(read_configuration(host)) == {OPEN}


def test_an_include_out_of_the_directory_is_not_read(host: Path, tmp_path: Path) -> None:
    for path in ("../secret.conf", str(tmp_path / "secret.conf"), "../*.conf", "d/../../*.conf"):
        write(tmp_path / "secret.conf", "[b]\ntype=transport\nbind=0.0.0.0:666\n")
        write(host / "pjsip.conf", f"{UDP}#include {path}\n")
        reading = read_configuration(host)
        assert (sockets(reading), unseen(reading)) == ({OPEN}, {Kind.OUTSIDE}), path


def _pipe(place: Path) -> None:
    os.mkfifo(place)


def _folder(place: Path) -> None:
    place.mkdir()


def _loop(place: Path) -> None:
    link(place, place.name)


def _dangling(place: Path) -> None:
    link(place, "nowhere")


def _below_a_file(place: Path) -> None:
    link(place, "asterisk.conf/x")


def _device(place: Path) -> None:
    link(place, "/dev/zero")


@pytest.mark.parametrize("make", [_pipe, _folder, _loop, _dangling, _below_a_file, _device])
def test_what_is_no_file_is_missing(host: Path, make: object) -> None:
    assert callable(make)
    make(host / "odd.conf")
    write(host / "pjsip.conf", f"#tryinclude odd.conf\n{UDP}")
    assert sockets(read_configuration(host)) == {OPEN}
    write(host / "pjsip.conf", f"#include odd.conf\n{UDP}")
    assert read_configuration(host).invalid == ("pjsip.conf",)


def test_a_file_that_is_too_large_is_refused(host: Path) -> None:
    with (host / "pjsip.conf").open("wb") as file:
        file.truncate(1 << 40)
    reading = read_configuration(host)
    assert (reading.invalid, warned(reading)) == (("pjsip.conf",), {Kind.TOO_LARGE})


def test_a_file_that_grows_while_it_is_read_is_bounded(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(host / "pjsip.conf", UDP + ";" * 100)
    monkeypatch.setattr(edge, "MOST_BYTES", 1_000)
    monkeypatch.setattr(os, "read", lambda _handle, length: b";" * min(length, 64))
    assert Kind.TOO_LARGE in warned(read_configuration(host))


@pytest.fixture
def closed(host: Path) -> Iterator[Path]:
    """A file that this user may not read."""
    place = write(host / "closed.conf", UDP)
    place.chmod(0)
    yield place
    place.chmod(0o600)


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(host: Path, closed: Path) -> None:
    write(host / "pjsip.conf", f"#include {closed.name}\n{UDP}")
    reading = read_configuration(host)
    assert (sockets(reading), unseen(reading)) == ({OPEN}, {Kind.UNREADABLE})


def test_refusal_by_the_kernel_is_named(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(host / "closed.conf")
    write(host / "pjsip.conf", f"#include closed.conf\n{UDP}")
    opened = os.open

    def refusing(path: str, flags: int, *more: int) -> int:
        if path.endswith("closed.conf"):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", refusing)
    reading: Reading = read_configuration(host)
    assert (sockets(reading), unseen(reading)) == ({OPEN}, {Kind.UNREADABLE})


def test_files_that_were_read_are_named_for_whoever_watches_them(host: Path) -> None:
    write(host / "pjsip.conf", "#include d/*.conf\n")
    write(host / "d" / "1.conf", UDP)
    write(host / "rtp.conf")
    assert set(read_configuration(host).files) == {"pjsip.conf", "d/1.conf", "rtp.conf"}


def test_where_there_is_no_asterisk_is_said(tmp_path: Path) -> None:
    with pytest.raises(AsteriskError, match=r"There is no Asterisk configuration in .*missing"):
        read_configuration(tmp_path / "missing")
    with pytest.raises(AsteriskError, match=r"holds no file of Asterisk's"):
        read_configuration(tmp_path)
    with pytest.raises(AsteriskError, match=r"There is no Asterisk configuration"):
        read_configuration(write(tmp_path / "file"))
