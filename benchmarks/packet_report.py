"""Tables of what packets took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import report
from benchmarks.floods import Found, Kind, Subject
from benchmarks.pairs import Series, Spread


def show(
    subjects: Mapping[str, Subject],
    kinds: Sequence[Kind],
    found: Sequence[Found],
    reference: str,
    other_floor: str,
) -> None:
    """A table for each kind of packets.

    Args:
        subjects: what the hosts were.
        kinds: of packets.
        found: of each kind.
        reference: the subject that ratios are to.
        other_floor: a subject that may be taken as floor, too.
    """
    print(
        "Ratio: to Hestia's layout, the median of the rounds; then their middle half, and an "
        "interval that holds the true median with 95 %. A goal is met or not if all of that "
        "interval says so.\n"
    )
    if not all(each.counted for each in found):
        print("This machine counts no instructions (perf stat), so there is time alone.\n")
    for kind, each in zip(kinds, found, strict=True):
        print(f"\n### {kind.name}\n")
        head = ["host", "extra ns", "ratio", "middle half", "median within"]
        columns: list[Sequence[tuple[str, ...]]] = [_times(subjects, each, reference)]
        if not kind.passes:
            head += ["over the device", "wanted", ""]
            columns.append(list(_goals(subjects, each, reference, other_floor)))
        if each.counted:
            head += ["extra instructions", "ratio"]
            columns.append(_instructions(subjects, each, reference))
        rows = zip(subjects, *columns, strict=True)
        report.table(head, [(name, *(c for cells in more for c in cells)) for name, *more in rows])


def show_beside(
    kinds: Sequence[Kind], found: Sequence[Found], names: Mapping[str, tuple[str, str]]
) -> None:
    """What packets take behind this checkout's fence, of what they take behind another's.

    Args:
        kinds: of packets.
        found: of each kind.
        names: by backend, the subjects of this checkout and of the other.
    """
    print("\n### This checkout to the other\n")
    report.table(
        ("packet", "backend", "ratio", "middle half", "median within"),
        (
            (kind.name, backend, *_shown(each.time(ours).ratio(each.time(theirs))))
            for kind, each in zip(kinds, found, strict=True)
            for backend, (ours, theirs) in names.items()
        ),
    )


def _times(subjects: Mapping[str, Subject], found: Found, reference: str) -> list[tuple[str, ...]]:
    base = found.time(reference)
    return [_row(found.time(name), base) for name in subjects]


def _instructions(
    subjects: Mapping[str, Subject], found: Found, reference: str
) -> list[tuple[str, ...]]:
    base = found.instructions(reference)
    return [_row(found.instructions(name), base)[:2] for name in subjects]


def _goals(
    subjects: Mapping[str, Subject], found: Found, reference: str, other_floor: str
) -> Iterator[tuple[str, str, str]]:
    base, least = found.time(reference), found.time(other_floor)
    for name, subject in subjects.items():
        series = found.time(name)
        ratio = f"{series.ratio_above(least, base).median:.2f}"
        if subject.wanted is None:
            yield ratio, "", ""
        else:
            yield ratio, f"{subject.wanted:.2f}", series.ratio(base).verdict(subject.wanted)


def _row(series: Series, base: Series) -> tuple[str, ...]:
    return (f"{series.extra:.0f}", *_shown(series.ratio(base)))


def _shown(ratio: Spread) -> tuple[str, str, str]:
    return (
        f"{ratio.median:.3f}",
        f"{ratio.quarter:.3f} to {ratio.three_quarters:.3f}",
        f"{ratio.least:.3f} to {ratio.most:.3f}",
    )
