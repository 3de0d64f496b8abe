"""Countries that a host's own settings make likely."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.model.evidence import Evidence
from geofence.setup import likely
from geofence.setup.likely import likely_countries, locale_country, most_common, zone_country


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of time zones, and a link to choose one; no locale of the system."""
    zones = tmp_path / "zoneinfo"
    zones.mkdir()
    (zones / "zone.tab").write_text(
        "# tab-separated\nJP\t+353916+1394441\tAsia/Tokyo\nDE\t+5230+01322\tEurope/Berlin\tmost\n"
    )
    monkeypatch.setattr(likely, "_ZONES", zones)
    monkeypatch.setattr(likely, "_LOCALTIME", tmp_path / "localtime")
    monkeypatch.setattr(likely, "_TIMEZONE", tmp_path / "timezone")
    monkeypatch.setattr(likely, "_LOCALE", tmp_path / "locale")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "country"), [("Asia/Tokyo", ("JP",)), ("Europe/Berlin", ("DE",)), ("Etc/UTC", ())]
)
def test_the_time_zone_tells_its_country(zone: Path, name: str, country: tuple[str, ...]) -> None:
    (zone / "localtime").symlink_to(zone / "zoneinfo" / name)
    target = zone / "zoneinfo" / name
    target.parent.mkdir()
    target.touch()
    assert zone_country() == country


def test_a_copied_zone_is_known_by_its_name(zone: Path) -> None:
    (zone / "localtime").write_bytes(b"TZif2")
    (zone / "timezone").write_text("Asia/Tokyo\n")
    assert zone_country() == ("JP",)


@pytest.mark.usefixtures("zone")
def test_without_any_zone_nothing_is_known() -> None:
    assert zone_country() == ()


@pytest.mark.parametrize(
    ("environment", "system", "country"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "", ("JP",)),
        ({"LC_ALL": "de_AT", "LANG": "ja_JP.UTF-8"}, "", ("AT",)),
        ({"LANG": "en_US.UTF-8"}, "", ()),
        ({"LANG": "C.UTF-8"}, 'LANG="de_DE.UTF-8"\n', ("DE",)),
        ({}, "LANG=en_US.UTF-8\n", ()),
        ({"LANG": "\x1b[2J_JP"}, "", ()),
        ({}, "", ()),
    ],
)
def test_the_locale_tells_its_country(
    zone: Path, environment: dict[str, str], system: str, country: tuple[str, ...]
) -> None:
    (zone / "locale").write_text(system)
    assert locale_country(environment) == country


def test_the_strongest_evidence_comes_first() -> None:
    found = likely_countries(
        {
            Evidence.OPERATOR: ["US"],
            Evidence.PEERS: ["DE", "JP"],
            Evidence.ZONE: ["JP"],
            Evidence.LOCALE: ["XX", ""],
        }
    )
    assert [each.code for each in found] == ["JP", "DE", "US"]
    assert found[0].evidence == (Evidence.ZONE, Evidence.PEERS)


def test_peers_count_by_their_number() -> None:
    assert most_common(["DE", "", "JP", "JP", ""]) == ("JP", "DE")
