"""Mistakes in rules and on the command line: said in a sentence, and nothing is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.model.notes import NoteKind
from tests.cli.facts import fact, kinds
from tests.cli.machine import Done, Machine, machine
from tests.support.values import full_width

VERBS = (("refresh",), ("plan",), ("apply",), ("status",), ("why", "1.2.3.4"), ("allow", "office"))


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a fence."""
    with machine(tmp_path_factory.mktemp("standing")) as made:
        made.ok("refresh")
        yield made


def untouched(where: Machine, *arguments: str) -> Done:
    """What a command says that must change nothing but the note on the last run."""
    before, fence = where.files(), where.fence()
    done = where.run(*arguments)
    after = where.files()
    for files in (before, after):
        files.pop("outcome.json", None)
    assert after == before
    assert where.fence() == fence
    return done


def headline(done: Done) -> str:
    """The first line of what a command prints; empty if it prints nothing."""
    return done.out.partition("\n")[0]


def headline_without_rules(verb: tuple[str, ...]) -> str:
    """Status alone has something to print."""
    return "The fence is up as applied." if verb == ("status",) else ""


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_that_needs_rules_refuses_wrong_ones(
    standing: Machine, verb: tuple[str, ...]
) -> None:
    wrong = standing.rule("60-wrong.toml", '[allow]\n\ncountries = ["JP", "XY"]\n')
    try:
        done = untouched(standing, *verb)
    finally:
        wrong.unlink()
    assert (done.code, headline(done)) == (2, headline_without_rules(verb))
    assert done.err.startswith(f"geofence: {wrong}:3: allow.countries: ")


@pytest.mark.parametrize("generation", ["recorded", "lost"])
def test_status_shows_the_fence_though_the_rules_do_not_load(
    fresh: Machine, generation: str
) -> None:
    fresh.ok("refresh")
    if generation == "lost":
        fresh.generations()[0].unlink()
    wrong = fresh.rule("60-wrong.toml", "[alow]\n")

    stands = fresh.run("status", "--json")
    assert (stands.code, stands.json["fenced"]) == (2, True)
    assert stands.json["rules_error"].startswith(f"{wrong}:1: ")
    assert stands.err == f"geofence: {stands.json['rules_error']}\n"
    assert [stands.json[key] for key in ("exceptions", "lists", "stale")] == [None, None, None]
    assert stands.json["notes"] == []
    assert "allow4" in stands.json["sets"]

    fresh.clear()
    gone = fresh.run("status", "--json")
    assert (gone.code, gone.json["fenced"], gone.json["exceptions"]) == (2, False, None)
    assert gone.json["rules_error"].startswith(f"{wrong}:1: ")
    verb = "refresh" if generation == "lost" else "restore"
    assert f"'geofence {verb}'" in headline(fresh.run("status"))

    wrong.unlink()
    assert fresh.run("status", "--json").json["rules_error"] is None


def test_wrong_rules_are_reported_though_status_cannot_read_its_state(standing: Machine) -> None:
    wrong = standing.rule("60-wrong.toml", "[alow]\n")
    try:
        done = standing.run("--state-dir", str(wrong), "status")
    finally:
        wrong.unlink()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"geofence: {wrong}:1: ")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[allow\n", 1, ""),
        ('[alow]\ncountries = ["JP"]\n', 1, "did you mean allow?"),
        ('[allow]\ncountry = ["JP"]\n', 2, "did you mean countries?"),
        ('[allow]\ncountries = "JP"\n', 2, 'did you mean ["JP"]?'),
        ("[exception.office]\nenabled = 1\n", 2, "true or false"),
        ('[exception.x]\nprefixes = [\n  "192.0.2.0/24",\n  "192.0.2.1/24",\n]\n', 4, "host bits"),
        ('[exception.x]\nprefixes = ["192.0.2.0/33"]\n', 2, "is not a prefix"),
        ('[exception.x]\nhosts = ["a b"]\n', 2, "host"),
        ('[exception.x]\nhosts = ["a.example"]\nservices = ["sipp"]\n', 3, "did you mean sip?"),
        ("[exception.nobody]\nenabled = true\n", 1, "no rule defines it"),
        ('[service.sip]\nports = ["5060/sctp"]\n', 2, "ports"),
        ('[service.sip]\nports = ["70000/udp"]\n', 2, "out of range"),
        ('[service.web]\nports = ["5060/udp"]\n', 2, "overlaps"),
        ('[blocklist.x]\nurl = "http://example.org/x"\n', 2, "plain http"),
        ('[source.country]\nurls = ["https://example.org/x"]\n', 2, "{cc}"),
        ('backend = "pf"\n', 1, "auto, ipset or nftables"),
        ('[boot]\nwithout_ruleset = "ajar"\n', 2, "closed or open"),
        ('[lists]\nmax_age = "7 days"\n', 2, 'did you mean "7d"?'),
        ('[notify]\ncommand = ["tell"]\n', 2, "absolute path"),
        ('# \N{SNOWMAN}\n[allow]\ncountries = ["\x1b[31mJP"]\n', 3, ""),
    ],
)
def test_each_kind_of_mistake_names_file_and_line(
    standing: Machine, text: str, line: int, said: str
) -> None:
    wrong = standing.rule("60-wrong.toml", text)
    try:
        done = untouched(standing, "apply")
    finally:
        wrong.unlink()
    assert (done.code, done.out) == (2, "")
    assert f"{wrong}:{line}: " in done.err
    assert said in done.err


def test_all_mistakes_are_reported_at_once(standing: Machine) -> None:
    first = standing.rule("60-wrong.toml", "[alow]\n[boot]\nx = 1\n")
    second = standing.rule("61-wrong.toml", "[allow]\ncountries = 7\n")
    try:
        done = untouched(standing, "refresh")
    finally:
        first.unlink()
        second.unlink()
    assert [line.removeprefix("geofence: ").split(": ")[0] for line in done.err.splitlines()] == [
        f"{first}:1",
        f"{first}:3",
        f"{second}:2",
    ]


def test_rules_that_others_can_write_are_not_believed(standing: Machine) -> None:
    theirs = standing.rule("60-theirs.toml", '[allow]\ncountries = ["JP"]\n')
    theirs.chmod(0o666)
    try:
        done = untouched(standing, "apply")
    finally:
        theirs.unlink()
    assert done.code == 2
    assert f"{theirs}: can be written by everyone" in done.err
    assert "chmod go-w" in done.err


def test_on_a_fresh_machine_wrong_rules_apply_nothing(one: Machine) -> None:
    one.rule("60-wrong.toml", "[allow]\ncountries = 7\n")
    before = one.fence()
    done = one.run("refresh")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert one.fence() == before
    assert one.generations() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], 'unknown command "bogus"; the commands are allow, apply, '),
        (["statsu"], "did you mean 'geofence status'?"),
        (["list"], "did you mean 'geofence status'?"),
        (["show"], "did you mean 'geofence status'?"),
        (["block", "192.0.2.1"], "did you mean 'geofence ban'?"),
        (["unblock", "192.0.2.1"], "did you mean 'geofence unban'?"),
        (["reload"], "did you mean 'geofence apply'?"),
        ([full_width("why"), "192.0.2.1"], "did you mean 'geofence why'?"),
        (["allow", "US"], "run 'geofence allow --country US'"),
        (["allow", "1.2.3.4", "--for", "soon"], '--for: "soon" is not a duration'),
        (["allow", "1.2.3.4/24"], "has host bits"),
        (["ban"], "geofence ban 203.0.113.7"),
        (["ban", "phone.example"], '"phone.example" is not an IP address'),
        (["ban", "192.0.2.1", "--for", "1 hour"], "--for: "),
        (["denied", "--by", "street"], "--by takes"),
        (["allow", "push-sa"], 'push-as ("Bria push server, Asia (Singapore)")'),
        (["why", full_width("1.2.3.4")], "write 1.2.3.4 in ASCII"),
        (["apply", "--confirm-within", "60"], 'such as "60s" or "5m"; did you mean "60s"?'),
        (["plan", "--bogus"], "No such option"),
        (["plan", "extra"], "unexpected extra argument"),
        (["why"], "Missing argument 'ADDRESS'"),
        (["why", ""], '"" is not an IP address'),
        (["why", "nonsense"], '"nonsense" is not an IP address; write one such as 203.0.113.7'),
        (["why", "192.0.2.1/24"], "has host bits"),
        (["why", "192.0.2.0/33"], "is not a prefix"),
        (["why", "phone..example"], "is not an IP address"),
        (["why", "sip:phone.example"], "is not an IP address"),
        (["why", "1.2.3"], "is not an IP address"),
        (["why", "fe80::1%eth0"], "is not an IP address"),
        (["why", "1.2.3.4", "--port", "5060"], 'did you mean "5060/udp" or "5060/tcp"?'),
        (["why", "1.2.3.4", "--port", "0/udp"], "out of range"),
        (["why", "1.2.3.4", "--port", ""], "is not a port with a protocol"),
        (["allow"], "Name an exception, an address or a host, or give --country"),
        (["allow", ""], 'Unknown exception or group ""'),
        (["revoke", "../../etc/passwd"], '"../../etc/passwd" is not a host name'),
        (["--backend", "pf", "status"], 'unknown backend "pf"; valid: auto, ipset, nftables'),
        (["--lock-wait", "-1", "status"], "--lock-wait takes seconds from 0 to 86400, not -1"),
        (["--lock-wait", "nan", "status"], "--lock-wait takes seconds"),
        (["--lock-wait", "long", "status"], "Invalid value for '--lock-wait'"),
        (["--patience", "inf", "refresh"], "--patience takes seconds"),
        (["apply", "--confirm-within", "soon"], "--confirm-within: "),
        (["apply", "--confirm-within", "-5s"], "--confirm-within: "),
        (["confirm"], "Nothing to confirm."),
        (["rollback", "first"], "Invalid value for 'N'"),
        (["rollback", "77"], "77"),
        (["rollback", "0"], "0"),
        (["rollback", "--", "-1"], "-1"),
        (["refresh", "--accept", "everything"], 'Unknown override "everything"'),
        (["refresh", "--accept", "shrink=XX"], 'Unknown list in the override "shrink=XX"'),
        (["apply", "--accept", "everything"], 'Unknown override "everything"'),
        (["apply", "--accept", "shrink=XX"], 'Unknown list in the override "shrink=XX"'),
        (["plan", "--accept", "everything"], 'Unknown override "everything"'),
        (["plan", "--accept", "shrink=XX"], 'Unknown list in the override "shrink=XX"'),
        (["allow", "office", "--accept", "everything"], 'Unknown override "everything"'),
        (["revoke", "home", "--accept", "shrink=XX"], 'Unknown list in the override "shrink=XX"'),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_bad_usage_is_said_and_changes_nothing(
    standing: Machine, arguments: list[str], said: str
) -> None:
    done = untouched(standing, *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.replace("\u2502", " ").split())


@pytest.mark.parametrize("arguments", [["why", "\udcff"], ["allow", "\udce4\udcf6"]], ids=str)
def test_bytes_that_are_not_text_are_bad_usage_too(standing: Machine, arguments: list[str]) -> None:
    assert untouched(standing, *arguments).code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GEOFENCE_BACKEND", "pf"),
        ("GEOFENCE_LOCK_WAIT", "long"),
        ("GEOFENCE_PATIENCE", "-1"),
    ],
)
def test_the_environment_is_checked_like_options(standing: Machine, name: str, value: str) -> None:
    standing.environment[name] = value
    try:
        done = untouched(standing, "status")
    finally:
        del standing.environment[name]
    assert (done.code, done.out) == (2, "")


def test_an_option_counts_more_than_the_environment(standing: Machine) -> None:
    standing.environment["GEOFENCE_STATE_DIR"] = "/nonexistent"
    try:
        assert standing.run("--state-dir", str(standing.state), "status").code == 0
    finally:
        del standing.environment["GEOFENCE_STATE_DIR"]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb[0] != "allow"], ids=" ".join)
@pytest.mark.parametrize("by_option", [True, False], ids=["option", "environment"])
def test_a_directory_of_rules_that_is_named_must_exist(
    standing: Machine, verb: tuple[str, ...], *, by_option: bool
) -> None:
    wrong = f"{standing.rules}-of-another-name"
    option = ("--rules-dir", wrong) if by_option else ()
    if not by_option:
        standing.environment["GEOFENCE_RULES_DIR"] = wrong
    try:
        done = untouched(standing, *option, *verb)
    finally:
        standing.environment.pop("GEOFENCE_RULES_DIR", None)
    assert (done.code, headline(done)) == (2, headline_without_rules(verb))
    assert done.err.startswith(f"geofence: {wrong}: does not exist; ")
    assert len(done.err.splitlines()) == 1


def test_a_directory_of_rules_that_is_not_there_is_made_to_allow_or_revoke(one: Machine) -> None:
    one.ok("refresh")
    elsewhere = one.directory / "made" / "rules"
    done = one.run("--rules-dir", str(elsewhere), "revoke", "push-as")
    assert done.code == 0, done
    assert [path.name for path in elsewhere.iterdir()] == [one.owned.name]


def test_restore_needs_no_directory_of_rules(one: Machine) -> None:
    done = one.run("--rules-dir", "/nonexistent", "restore", "--json")
    assert done.code == 5
    assert kinds(done) == [NoteKind.SHIPPED_RULES, NoteKind.NOTHING_APPLIED]
    assert str(fact(done, NoteKind.SHIPPED_RULES)[1]["message"]).startswith("/nonexistent: ")

    one.ok("refresh")
    one.clear()
    done = one.ok("--rules-dir", "/nonexistent", "restore")
    assert done.err == ""


@pytest.mark.parametrize("verb", ["refresh", "apply", "status", "restore", "plan"])
def test_a_state_directory_that_is_a_file_is_said_to_be_one(standing: Machine, verb: str) -> None:
    file = standing.directory / "file"
    file.touch()
    fence = standing.fence()
    done = standing.run("--state-dir", str(file), verb)
    assert standing.fence() == fence or verb == "restore"
    assert str(file) in done.err
    assert done.code != 0


@pytest.mark.parametrize("verb", ["refresh", "apply", "restore"])
def test_a_directory_that_others_use_stays_as_it_is(one: Machine, verb: str) -> None:
    lib = one.directory / "lib"
    (lib / "dpkg").mkdir(parents=True)
    lib.chmod(0o755)
    done = one.run("--state-dir", str(lib), verb)
    assert done.said.count("Choose a directory that only geofence uses (--state-dir)") == 1
    assert done.code == (5 if verb == "restore" else 1)
    assert [path.name for path in lib.iterdir()] == ["dpkg"]
    assert lib.stat().st_mode & 0o777 == 0o755


def test_state_that_others_can_write_is_not_used(one: Machine) -> None:
    one.ok("refresh")
    one.state.chmod(0o777)
    done = untouched(one, "refresh")
    assert done.code == 1
    assert f"chmod go-w {one.state}" in done.err
