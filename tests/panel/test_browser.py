"""Report and panel in Debian's Chromium: what people see and do there."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from axe_core_python.selenium import Axe
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground
from tests.panel.browser import browser, unpacked
from tests.panel.client import Panel

STRANGER = "8.1.1.1"
PHONE, DESKTOP = (390, 844), (1280, 900)
PATIENCE = 30
"""Seconds that a page may take."""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chromium of Debian's packages."""
    return unpacked(tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="module")
def driver(
    visited: Ground, chromium: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebDriver]:
    """A browser on the PBX."""
    with browser(visited.lab.pbx, chromium, tmp_path_factory.mktemp("profile")) as made:
        yield made


def gets_in(ground: Ground) -> bool:
    probe = Probe(ip_address(STRANGER), PBX[Family.IPV4], Transport.UDP, 5060)
    return ground.lab.fire([probe]) == ["pbx"]


def serious(driver: WebDriver) -> list[str]:
    """What axe-core finds that keeps people from using the page."""
    found = Axe().run(driver)["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def colour_of(driver: WebDriver, country: str) -> tuple[str, str]:
    """The fill and the outline of a country on the map."""
    for shape in driver.find_elements(By.CSS_SELECTOR, "svg path, svg circle"):
        title = shape.find_element(By.TAG_NAME, "title").get_attribute("textContent") or ""
        if title.startswith(f"{country}:"):
            return shape.value_of_css_property("fill"), shape.value_of_css_property("stroke")
    raise AssertionError(country)


def sources(driver: WebDriver) -> list[str]:
    rows = driver.find_elements(By.XPATH, "//section[h2[@id='sources']]//tbody/tr")
    return [row.find_element(By.TAG_NAME, "td").text for row in rows]


def fits(driver: WebDriver) -> bool:
    """Whether the page is not wider than the window."""
    script = "return document.documentElement.scrollWidth <= window.innerWidth"
    return bool(driver.execute_script(script))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_report_shades_the_map_and_shuts_nobody_out(
    visited: Ground, driver: WebDriver, tmp_path: Path, language: str
) -> None:
    file = tmp_path / "report.html"
    visited.machine.ok("report", "--html", str(file), "--language", language)
    driver.get(f"file://{file}")
    quiet, outline = colour_of(driver, "France")
    most, few = colour_of(driver, "Germany")[0], colour_of(driver, "Singapore")[0]
    assert len({quiet, most, few}) == 3
    assert colour_of(driver, "Japan")[1] != outline
    for size in (PHONE, DESKTOP):
        driver.set_window_size(*size)
        assert fits(driver)
        assert serious(driver) == []


def test_the_report_is_readable_in_the_dark(
    visited: Ground, chromium: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    visited.machine.ok("report", "--html", str(file))
    dark = "--blink-settings=preferredColorScheme=0"
    with browser(visited.lab.pbx, chromium, tmp_path / "profile", dark) as driver:
        driver.get(f"file://{file}")
        ground = driver.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
        assert ground != "rgba(255, 255, 255, 1)"
        assert serious(driver) == []


def test_an_allow_goes_through_its_plan_to_a_packet_that_gets_in(
    acting: Panel, driver: WebDriver
) -> None:
    driver.get(acting.link)
    assert driver.current_url.endswith("/")
    assert serious(driver) == []
    assert not gets_in(acting.ground)
    driver.find_element(By.CSS_SELECTOR, f"button[aria-label='allow {STRANGER}' i]").click()
    await_text(driver, "pre", STRANGER)
    assert serious(driver) == []
    assert not gets_in(acting.ground)
    driver.find_element(By.CSS_SELECTOR, "form[action='/do'] button").click()
    await_text(driver, "h1", "Done")
    assert serious(driver) == []
    assert gets_in(acting.ground)
    acting.ground.machine.ok("revoke", STRANGER)


def await_text(driver: WebDriver, tag: str, text: str) -> None:
    """Wait for the page that a click asked for; what it shows is worked out first."""
    leaving = (NoSuchElementException, StaleElementReferenceException)
    waiting = WebDriverWait(driver, PATIENCE, ignored_exceptions=leaving)
    waiting.until(lambda page: text in page.find_element(By.TAG_NAME, tag).text)


def test_sources_are_sorted_filtered_and_paged(read_only: Panel, driver: WebDriver) -> None:
    driver.get(read_only.link)
    assert len(sources(driver)) == 100
    link = "//section[h2[@id='sources']]//th/a[text()='source']"
    driver.find_element(By.XPATH, link).click()
    assert sources(driver) == sorted(sources(driver))
    driver.find_element(By.XPATH, link).click()
    assert sources(driver) == sorted(sources(driver), reverse=True)
    words = driver.find_element(By.NAME, "sources-words")
    words.send_keys("Singapore")
    words.submit()
    assert sources(driver) == [STRANGER]


def test_a_page_of_another_site_cannot_act(
    acting: Panel, driver: WebDriver, tmp_path: Path
) -> None:
    driver.get(acting.link)
    token = acting_token(driver)
    evil = tmp_path / "evil.html"
    evil.write_text(
        f'<form method="post" action="http://{acting.host}/plan">'
        f'<input name="token" value="{token}"><input name="verb" value="allow">'
        f'<input name="what" value="{STRANGER}"></form>'
        "<script>document.forms[0].submit()</script>"
    )
    driver.get(f"file://{evil}")
    assert "did not come from a page of the panel" in driver.page_source
    assert not gets_in(acting.ground)


def acting_token(driver: WebDriver) -> str:
    return driver.find_element(By.NAME, "token").get_attribute("value") or ""


def test_the_panel_is_usable_on_a_phone(acting: Panel, driver: WebDriver) -> None:
    driver.set_window_size(*PHONE)
    driver.get(acting.link)
    assert fits(driver)
    assert serious(driver) == []
