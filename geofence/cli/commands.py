"""Commands that first see whether they are run as root, and a group that knows what was meant."""

from __future__ import annotations

import os
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from geofence.errors import PrivilegeError, UsageError
from geofence.host.privilege import has_net_admin
from geofence.operations.site import Site


class ForRoot(TyperCommand):
    """A verb that reads or changes the kernel's firewall, and does nothing without it."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Run the verb; without root, say so before anything else."""
        if not has_net_admin():
            _refuse(str(self.name))
        return super().invoke(ctx)


class ForReaders(TyperCommand):
    """A verb that tells something without the kernel, too, where the state can be read."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Run the verb; without root, say first what it cannot tell."""
        site = ctx.obj
        if not has_net_admin():
            if isinstance(site, Site) and not _may_read_state(site):
                _refuse(str(self.name))
            said = f"Without root, 'geofence {self.name}' cannot read the kernel and tells only "
            typer.echo(f"{said}what the disk says.", err=True)
        return super().invoke(ctx)


class ForStateReaders(TyperCommand):
    """A verb that reads the state on disk and nothing of the kernel."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Run the verb; if the state is kept from this user, say that root is needed."""
        if isinstance(ctx.obj, Site) and not _may_read_state(ctx.obj):
            _refuse(str(self.name))
        return super().invoke(ctx)


class Verbs(TyperGroup):
    """All verbs; for a word that is none it says which was meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types
        """Find the verb.

        Raises:
            UsageError: there is no such verb.
        """
        if args and args[0] not in self.commands:
            from geofence.cli.unknown_verb import unknown_verb

            known = [name for name, each in self.commands.items() if not each.hidden]
            raise UsageError(unknown_verb(args[0], known))
        return super().resolve_command(ctx, args)


def _may_read_state(site: Site) -> bool:
    """Whether the state can be read, or there is none yet."""
    try:
        os.stat(site.state_directory)  # noqa: PTH116 - pathlib hides that it is not allowed
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(site.state_directory, os.R_OK | os.X_OK)


def _refuse(verb: str) -> NoReturn:
    if os.geteuid() == 0:
        raise PrivilegeError(
            f"'geofence {verb}' needs the capability CAP_NET_ADMIN, which root lacks here; give it "
            "to the container or the unit."
        )
    raise PrivilegeError(f"'geofence {verb}' needs root; run 'sudo geofence {verb}'.")
