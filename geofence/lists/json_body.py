"""Bodies that are one JSON document."""

from __future__ import annotations

import json
from typing import cast

from geofence.errors import ListError
from geofence.lists.sniff import refuse_markup
from geofence.translation import tr


def loaded(body: bytes) -> object:
    """Return the document of a body.

    Raises:
        ListError: the body is not JSON.
    """
    refuse_markup(body)
    try:
        return cast("object", json.loads(body))
    except json.JSONDecodeError as error:
        raise ListError(
            tr(
                "The list is not JSON, or was cut short: {problem} at line {line}.",
                problem=error.msg,
                line=error.lineno,
            )
        ) from error
    except RecursionError as error:
        raise ListError(tr("The list is JSON that is nested too deeply.")) from error
    except ValueError as error:
        raise ListError(tr("The list is not readable JSON: it has invalid characters.")) from error
