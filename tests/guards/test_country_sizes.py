from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.guards.country_sizes import SITE, known_size
from geofence.guards.tabulate import rounded, table_lines
from geofence.model.prefixes import Family


def test_the_table_knows_large_and_small_countries() -> None:
    assert known_size("JP", Family.IPV4) == 190_000_000
    assert known_size("US", Family.IPV4) == 1_600_000_000
    assert known_size("KP", Family.IPV4) == 1_000
    assert known_size("KP", Family.IPV6) == 0
    assert known_size("ZZ", Family.IPV4) is None


def test_every_country_of_the_table_has_ipv4_addresses_and_only_six_have_no_ipv6() -> None:
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    codes = [first + second for first in letters for second in letters]
    known = [code for code in codes if known_size(code, Family.IPV4) is not None]
    assert len(known) == 237
    assert all(known_size(code, Family.IPV4) for code in known)
    without = [code for code in known if not known_size(code, Family.IPV6)]
    assert without == ["CF", "ER", "FK", "KP", "MS", "YT"]


@given(st.integers(0, 1 << 128))
def test_rounding_keeps_two_digits(number: int) -> None:
    near = rounded(number)
    assert abs(near - number) * 20 <= number
    assert set(str(near)[2:]) <= {"0"}


def write_list(directory: Path, code: str, ipv4: list[str], ipv6: list[str]) -> None:
    body = {"countryCode": code.upper(), "prefixes": {"ipv4": ipv4, "ipv6": ipv6}}
    (directory / code).mkdir()
    (directory / code / "aggregated.json").write_text(json.dumps(body), encoding="utf-8")


def test_the_table_is_made_from_a_tree_of_lists(tmp_path: Path) -> None:
    write_list(tmp_path, "jp", ["20.0.0.0/16"], ["2400::/32"])
    write_list(tmp_path, "ad", ["20.1.0.0/24"], [])
    assert list(table_lines(tmp_path)) == ["AD 260 0", "JP 66000 66000"]
    module = [sys.executable, "-m", "geofence.guards.tabulate", str(tmp_path)]
    printed = subprocess.run(module, check=True, capture_output=True, text=True).stdout
    assert printed == "AD 260 0\nJP 66000 66000\n"
    assert SITE * 65536 == 1 << 96


def test_a_list_in_the_wrong_place_makes_no_table(tmp_path: Path) -> None:
    write_list(tmp_path, "jp", ["20.0.0.0/16"], [])
    (tmp_path / "jp").rename(tmp_path / "us")
    with pytest.raises(ListError):
        list(table_lines(tmp_path))
