"""A mirror for other hosts: its key, and what it has."""

from __future__ import annotations

from pathlib import Path

from geofence.mirror.signature import SigningKey
from geofence.operations.mirror import Published, withheld_note
from geofence.screen import Screen
from geofence.sentences import sentence
from geofence.translation import tr, trn
from geofence.wording import moment


def key_json(path: Path, key: SigningKey) -> dict[str, object]:
    """Return a new key as JSON; the secret one stays in its file."""
    return {"key_file": str(path), "public_key": key.public}


def show_key(screen: Screen, path: Path, key: SigningKey) -> None:
    """Print the public key, and what to write into the rules."""
    screen.say(key.public)
    screen.note(tr("The secret key is in {path}. Keep a copy of it offline.", path=path))
    screen.note(tr("In the rules of this host:"))
    screen.note(f'  [mirror]\n  directory = "/srv/geofence"\n  key_file = "{path}"')
    screen.note(tr("In the rules of the hosts that use it:"))
    screen.note(
        '  [source.mirror]\n  urls = ["https://lists.example.com/geofence/"]\n'
        f'  keys = ["{key.public}"]'
    )


def mirror_json(published: Published) -> dict[str, object]:
    """Return a mirror as JSON."""
    index = published.index
    return {
        "directory": published.directory,
        "public_key": published.public_key,
        "serial": index.serial,
        "published_at": index.published_at.isoformat(),
        "expires_at": index.expires_at.isoformat(),
        "lists": [
            {
                "list": str(name),
                "checked_at": entry.checked_at.isoformat(),
                "octets": sum(part.size for part in entry.parts),
            }
            for name, entry in index.lists.items()
        ],
        "missing": [str(name) for name in published.left_out],
        "withheld": [str(name) for name in published.withheld],
    }


def show_mirror(screen: Screen, published: Published) -> None:
    """Print what a mirror has."""
    index = published.index
    lists = trn(len(index.lists), "{number} list", "{number} lists")
    screen.say(
        tr(
            "Signed {lists} in {directory}; they count until {end}.",
            lists=lists,
            directory=published.directory,
            end=moment(index.expires_at),
        )
    )
    if published.left_out:
        screen.note(
            tr(
                "Not downloaded yet, so not there: {lists}. Run 'geofence refresh'.",
                lists=", ".join(map(str, published.left_out)),
            )
        )
    if published.withheld:
        screen.note(sentence(withheld_note(published.directory, published.withheld)), "yellow")
