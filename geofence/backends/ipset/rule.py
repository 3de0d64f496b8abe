"""One rule of iptables as a value; what geofence decides about rules, it decides on these."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from geofence.model.frozen import NamedTuple

_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\S)+')
"""A word, or a quoted string with all its blanks."""
_COMMENT = ("-m", "comment", "--comment")


class Verdict(NamedTuple):
    """What a rule does with the packets that it matches."""

    target: str
    """A target of the kernel's, such as ``DROP``, or a chain."""
    goto: bool = False
    """Whether packets do not come back from that chain."""
    options: tuple[str, ...] = ()
    """The target's own, as words."""

    def __str__(self) -> str:
        return " ".join(("-g" if self.goto else "-j", self.target, *self.options))


_END_CHAIN = (Verdict("ACCEPT"), Verdict("RETURN"))


class IptablesRule(NamedTuple):
    """One rule of one chain."""

    chain: str
    conditions: tuple[str, ...] = ()
    """What has to be true, as words."""
    verdict: Verdict | None = None

    def __str__(self) -> str:
        """Return the rule as ``iptables -S`` prints it."""
        end = () if self.verdict is None else (str(self.verdict),)
        return " ".join(("-A", self.chain, *self.conditions, *end))

    @classmethod
    def of(cls, chain: str, conditions: Iterable[str], verdict: Verdict) -> IptablesRule:
        """Return the rule with conditions that are each a few words, or none."""
        words = (word for condition in conditions for word in _words(condition))
        return cls(chain, tuple(words), verdict)

    @classmethod
    def parse(cls, line: str) -> IptablesRule:
        """Return the rule of a line ``-A CHAIN …`` of ``iptables-save``."""
        _, chain, *words = _words(line)
        at = next((at for at, word in enumerate(words) if word in ("-j", "-g")), None)
        if at is None or at + 1 == len(words):
            return cls(chain, tuple(words))
        verdict = Verdict(words[at + 1], words[at] == "-g", tuple(words[at + 2 :]))
        return cls(chain, tuple(words[:at]), verdict)

    @property
    def target(self) -> str:
        """The target or chain that packets go to; empty if the rule only counts."""
        return "" if self.verdict is None else self.verdict.target

    @property
    def drops(self) -> bool:
        """Whether it drops what it matches."""
        return self.verdict == Verdict("DROP")

    @property
    def ends_chain(self) -> bool:
        """Whether it ends the chain for every packet, and drops none."""
        return self.verdict in _END_CHAIN and not self._without_comment()

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets that it looks into or adds to."""
        options = () if self.verdict is None else self.verdict.options
        words = (*self.conditions, *options)
        following = pairwise(words)
        return tuple(name for word, name in following if word in ("--match-set", "--add-set"))

    def _without_comment(self) -> tuple[str, ...]:
        words = self.conditions
        return words[len(_COMMENT) + 1 :] if words[: len(_COMMENT)] == _COMMENT else words


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """Return the words of a line; the same lines are read and wanted again and again."""
    return tuple(text.split() if '"' not in text else _WORD.findall(text))
