"""The life of a fence beside somebody else's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.behaviour.fence import Fence
from tests.behaviour.scene import JP, LISTS, RULESET, space, with_list
from tests.coexistence.field import Landings, fenced, reach, targets
from tests.coexistence.theirs import theirs

ANOTHER_LIST = with_list(LISTS[JP] | space("45.0.0.0/8", "2a00::/12"))


def live_beside(fence: Fence, without: Landings, deeds: Mapping[str, Callable[[], object]]) -> None:
    """Apply, refresh, let the other program do its deeds, and remove, looking all the time.

    Args:
        fence: on a host with the other program's rules; not applied yet.
        without: what gets in so far.
        deeds: what the other program is told to do, after which the fence has to be whole.
    """
    before = theirs(fence)
    for ruleset in (RULESET, ANOTHER_LIST, RULESET):
        fence.apply(ruleset)
        assert theirs(fence) == before
    within = fenced(without)
    assert within != without
    assert reach(fence, targets(without)) == within

    for what, do in deeds.items():
        do()
        assert fence.plan(RULESET).is_empty, what
        assert reach(fence, targets(without)) == within, what

    before = theirs(fence)
    assert fence.remove()
    assert theirs(fence) == before
    assert reach(fence, targets(without)) == without
