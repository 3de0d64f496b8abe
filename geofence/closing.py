"""What has to be closed, and is closed at the end of a ``with`` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """Has a ``close``, and calls it where the ``with`` block ends that it was made for."""

    @abstractmethod
    def close(self) -> None:
        """Give back whatever is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
