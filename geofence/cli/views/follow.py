"""New sources that are turned away, a line each as they come."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from geofence.cli.views.denied import country_text, hint_text, source_json
from geofence.denied.sources import DeniedSource
from geofence.operations.denied import Selection, follow
from geofence.operations.knowledge import Known, known_all
from geofence.operations.site import Site
from geofence.screen import Screen
from geofence.sentences import sentence
from geofence.translation import tr


def show_new(screen: Screen, site: Site, asked: Selection, *, as_json: bool) -> None:
    """Print new sources until Ctrl-C, which is no failure here."""
    known = known_all(site)
    for note in known.notes:
        screen.note(sentence(note), "yellow")
    with _interruptible() as stopped:
        if screen.interactive:
            screen.note(tr("Waiting for new sources. Ctrl-C ends it."))
        for source in follow(site, asked, known.knowledge, stopped):
            if as_json:
                sys.stdout.write(json.dumps(source_json(source, known.groups)) + "\n")
                sys.stdout.flush()
            else:
                screen.say(_line(source, known))


@contextmanager
def _interruptible() -> Iterator[Callable[[float], bool]]:
    """Yield what waits for some seconds, and says whether Ctrl-C was pressed."""
    interrupted = Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted.wait
    finally:
        signal.signal(signal.SIGINT, before)


def _line(source: DeniedSource, known: Known) -> str:
    parts = [f"{source.last:%H:%M:%S}", str(source), source.service, country_text(source.country)]
    if source.network_name:
        parts.append(source.network_name)
    if source.exception:
        group = known.groups.get(source.exception)
        together = source.exception in known.together
        parts.append(hint_text(str(source), source.exception, group, together=together))
    return "  ".join(parts)
