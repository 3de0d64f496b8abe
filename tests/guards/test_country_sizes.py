from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.geoip.countries import DATA, SITE, countries, known_size, sizes_are_of
from geofence.model.prefixes import Family
from tools.country_sizes import main, rounded, sizes

TOP = Path(__file__).parents[2]


def test_the_table_knows_large_and_small_countries() -> None:
    assert known_size("JP", Family.IPV4) == 190_000_000
    assert known_size("US", Family.IPV4) == 1_600_000_000
    assert known_size("KP", Family.IPV4) == 1_000
    assert known_size("KP", Family.IPV6) == 0
    assert known_size("ZZ", Family.IPV4) is None
    assert known_size("AQ", Family.IPV4) is None  # a country without a list


def test_every_list_has_ipv4_addresses_and_only_six_have_no_ipv6() -> None:
    known = [code for code in countries() if known_size(code, Family.IPV4) is not None]
    assert len(known) == 237
    assert all(known_size(code, Family.IPV4) for code in known)
    without = [code for code in known if not known_size(code, Family.IPV6)]
    assert without == ["CF", "ER", "FK", "KP", "MS", "YT"]


def test_the_table_gives_the_source_and_date_of_its_sizes() -> None:
    assert sizes_are_of() == "ipverse country-ip-blocks, 2026-02-01"


@given(st.integers(0, 1 << 128))
def test_rounding_keeps_two_digits(number: int) -> None:
    near = rounded(number)
    assert abs(near - number) * 20 <= number
    assert set(str(near)[2:]) <= {"0"}


def write_list(directory: Path, code: str, ipv4: list[str], ipv6: list[str]) -> None:
    body = {"countryCode": code.upper(), "prefixes": {"ipv4": ipv4, "ipv6": ipv6}}
    (directory / code).mkdir()
    (directory / code / "aggregated.json").write_text(json.dumps(body), encoding="utf-8")


def test_the_table_is_renewed_from_a_tree_of_lists(tmp_path: Path) -> None:
    write_list(tmp_path, "jp", ["20.0.0.0/16"], ["2400::/32"])
    write_list(tmp_path, "ad", ["20.1.0.0/24"], [])
    table = tmp_path / "countries.tsv"
    table.write_bytes(DATA.read_bytes())
    main(tmp_path, "2027-01-01", table)
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (DATA, table))
    assert len(after) == len(before)
    assert "# sizes: ipverse country-ip-blocks, 2027-01-01" in after
    assert "AD\tAND\t260\t0\tAndorra\t-" in after
    assert "JP\tJPN\t66000\t66000\tJapan\tJA;JAP;NIPPON;日本" in after
    assert "US\tUSA\t-\t-\tUnited States\tAMERICA" in after
    assert SITE * 65536 == 1 << 96


def test_a_list_in_the_wrong_place_makes_no_table(tmp_path: Path) -> None:
    write_list(tmp_path, "jp", ["20.0.0.0/16"], [])
    (tmp_path / "jp").rename(tmp_path / "us")
    with pytest.raises(ListError):
        sizes(tmp_path)


def test_countries_can_be_imported_first() -> None:
    """Whatever is imported first: nothing that it needs needs it."""
    program = "import geofence.geoip.countries, geofence.policy.countries"
    subprocess.run([sys.executable, "-c", program], cwd=TOP, check=True)
