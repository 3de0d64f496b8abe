"""Limits of the guards, calibrated by how much real lists change.

Calibrated by replaying every daily change of every country's text lists from 2021-12-08 to
2026-02-01 (ipverse country-ip-blocks, 1,399 daily commits, 34,339 changes of a list that existed
before, 12,291 of which removed addresses). The measure is the share of the previous addresses that
were removed, which detects a list that was swapped for another country's as well as one cut short.

======  ==================  ==========  ===============  =================  ==================
family  size before         most lost   days with loss   of those refused   largest seen
======  ==================  ==========  ===============  =================  ==================
IPv4    under 100,000             35 %               79                  4  70 %
IPv4    under 1 million           20 %              472                  3  100 % (withdrawn)
IPv4    1 million or more          5 %            7,400                  6  21.5 %
IPv6    under a /28               35 %               43                  8  100 % (withdrawn)
IPv6    under a /24               20 %              401                  7  50 %
IPv6    a /24 or more             10 %            3,896                  3  15.6 %
======  ==================  ==========  ===============  =================  ==================

So 31 of 12,291 real losses would have been refused: for one country, one false refusal in some
thirty years. No list of any size may lose 36 % without an override, so one cut to 61 % never
passes.

*First run.* A table ages slowly: compared with one of January 2022, the lists of every month
up to January 2026 would have passed, but for two small IPv6 lists (AX from 2023 on, MF for a year).
No country of more than a million IPv4 addresses fell to 70 % of its size in these four years, none
of more than 100,000 to 50 %, no smaller one to 25 %; none of the first grew to 170 %.

*Growth.* Of 13,004 days on which an IPv4 list of more than a million addresses gained some, the
largest gain was 28 %, and of more than ten million 20 % was never reached. Smaller lists, and IPv6
lists of any size, can grow many times over in a day, twenty times at most. So a gain beyond the
limits is unusual rather than wrong: it passes if a second mirror agrees. Compared with every
change of two other histories (36,517 and 14,662 versions), the limits of the two smaller IPv4
classes caught all of 320 lists with a /8 to /12 added, where 138 were caught before, and stopped
one to two changes of the publishers' methods. Many small gains make a large one, so a list is also
compared with the version that was in force a month before, and against the country's known size.

*Ends.* A list cut short loses its end, and one that begins too late its beginning. No real change
of 39,627 took more than 4 stretches of merged addresses off one end.

*Settling.* 28 real changes of four years lost more than these limits, nearly all of them transfers
between countries that stayed as they were. Refused for ever, 22 lists would have remained wrong.
One that stays the same for a week, and that a second mirror or another country's list confirms, is
most likely right.
"""

from __future__ import annotations

from datetime import timedelta

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family


class SizeClass(NamedTuple):
    """How much a country's list of some size may change."""

    family: Family
    at_least: int
    """Number of addresses."""
    most_lost: float
    """Percent of the addresses that it may lose at once."""
    least_of_known: float
    """Percent of the country's known size that its first list must have."""
    most_gained: float
    """Percent of the addresses that are usually gained at once, at most."""
    gain_counts_from: int
    """Number of addresses below which a gain is never unusual."""
    most_of_known: float | None
    """Percent of the country's known size that a list may have on any day; None: see
    ``MOST_TIMES_KNOWN``."""


_SMALL_GAIN = {Family.IPV4: 32_768, Family.IPV6: 1 << (128 - 28)}

_CLASSES = (
    SizeClass(Family.IPV4, 10_000_000, 5, 70, 5, 0, 200),
    SizeClass(Family.IPV4, 1_000_000, 5, 70, 20, 0, 200),
    SizeClass(Family.IPV4, 100_000, 20, 50, 60, 0, None),
    SizeClass(Family.IPV4, 0, 35, 25, 300, _SMALL_GAIN[Family.IPV4], None),
    SizeClass(Family.IPV6, 1 << (128 - 24), 10, 50, 100, 0, 1_000),
    SizeClass(Family.IPV6, 1 << (128 - 28), 20, 40, 300, 0, None),
    SizeClass(Family.IPV6, 0, 35, 25, 300, _SMALL_GAIN[Family.IPV6], None),
)

MONTH = timedelta(days=30)
"""A list is also compared with the version that was in force so long before."""
MONTHLY = 2
"""Times ``most_gained`` that a list usually gains in a month, at most."""
STRETCHES = 20
"""From so many stretches (intervals of the merged addresses) on, the ends of a list are checked."""
MOST_OFF_END = 4
"""Stretches beyond an end of the new version that may disappear at once."""
RETURNS_WITHIN = timedelta(days=14)
"""A list may go back to a version that was in force so recently."""
SETTLES_AFTER = timedelta(days=7)
"""A refused list that stays the same for so long passes if another list confirms it."""

BLOCKLIST_MOST_LOST = 50.0
"""Percent. Blocklists change a lot and no history of them was measured: only one that loses more
than half at once is refused, since the addresses that it lost would be allowed."""


class Gain(NamedTuple):
    """How much a list usually gains at once."""

    most_gained: float
    """Percent of its addresses, at most."""
    gain_counts_from: int
    """Number of addresses below which a gain is never unusual."""


ASN_MOST_LOST = 50.0
"""Percent. No history of the lists of AS numbers was measured. What an AS number announces moves
between networks and providers, so only one that loses more than half at once is refused."""
ASN_GAIN = {Family.IPV4: Gain(100, 1 << 16), Family.IPV6: Gain(300, 1 << (128 - 28))}
"""A list that doubles, or gains as many addresses as four IPv6 /28, waits for a second mirror."""
ASN_MOST = {Family.IPV4: 300_000_000, Family.IPV6: 4 << (128 - 16)}
"""Addresses that one AS number may have, on any day. The most that one ever announced, AS8003 for
the US Department of Defense in 2021, was 175 million; the largest IPv6 delegation is a /16."""

FEED_MOST_LOST = 50.0
"""Percent. No history of feeds was measured. One that loses more than half at once is refused:
calls of the provider would have no sound."""
FEED_GAIN = {Family.IPV4: Gain(100, 1 << 10), Family.IPV6: Gain(300, 1 << (128 - 40))}
"""The feeds that are known have hundreds to some thousands of addresses (Telnyx 4,720, Twilio's one
prefix 16,384). One that doubles, and by more than four /24, waits for an override."""
FEED_BROADEST = {Family.IPV4: 16, Family.IPV6: 32}
"""The broadest that a provider publishes is Twilio's /18."""
FEED_MOST = {Family.IPV4: 1 << 18, Family.IPV6: 1 << (128 - 30)}
"""Addresses that a feed may have, on any day: four of the broadest prefixes."""

MOST_TIMES_KNOWN = 100
"""How many times the country's known size any other list may have, on any day."""
ALWAYS_FEW = {Family.IPV4: 1_000_000, Family.IPV6: 1 << (128 - 20)}
"""Addresses that any country's list may have, whatever the country's known size."""
BLOCKLIST_MOST_GAINED = 1.0
"""Percent of all public addresses that a blocklist may gain at once, its first version too. Lists
of hijacked and abused networks have a third of that; more may well be a whole country."""
BLOCKLIST_MOST_OF_COUNTRY = 35.0
"""Percent of one allowed country that a blocklist may gain at once, its first version too: what a
small country's own list may lose. Compared with all 237 countries of 2026-02, real lists of 2021-04
took less: Spamhaus DROP 17.7 % of ET, FireHOL level 1, with bogons delegated since, 27.7 % of BT. A
single /24 is less than this of the smallest country (NF, with three)."""
MANY_ALLOWED = 30
"""The share of all public addresses, one in so many, from which on many are allowed."""
BLOCKLIST_MOST_OF_ALLOWED = 10.0
"""Percent of all allowed public addresses that a blocklist may come to block in all, where many are
allowed. Real lists have a third of a percent of all public addresses; were every one of them in the
allowed countries, that would be 10 % of a thirtieth. Where fewer are allowed, the share of a single
country (``BLOCKLIST_MOST_OF_COUNTRY``) is that of all."""

BROADEST = {Family.IPV4: 8, Family.IPV6: 16}
"""The shortest prefix that any registry delegated: IPv4's legacy blocks of IANA (``53.0.0.0/8``),
IPv6's ``2630::/16`` of ARIN."""
NEIGHBOURS_JOINED = {("US", Family.IPV4): 6}
"""Where aggregation joins whole neighbouring delegations: ``16.0.0.0/6`` is four of them."""


def size_class(family: Family, addresses: int) -> SizeClass:
    """Return the class of a list with that many addresses."""
    return next(one for one in _CLASSES if one.family is family and addresses >= one.at_least)
