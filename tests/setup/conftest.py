from tests.cli.conftest import fresh, one

__all__ = ["fresh", "one"]
