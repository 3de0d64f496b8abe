"""Classes of commands: those that check privileges first, and the group of all verbs."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from geofence.cli.privileges import refusal
from geofence.errors import UsageError
from geofence.host.privilege import has_net_admin
from geofence.translation import tr


class _InReadersLanguage:
    """Words of typer's own that it does not translate, translated."""

    def make_context(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Read the command line."""
        try:
            return super().make_context(*arguments, **more)  # type: ignore[misc]  # a command's
        except Exception as error:
            from geofence.cli.usage_errors import translate

            translate(error)
            raise

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Return all parameters."""
        parameters: Any = super().get_params(ctx)  # type: ignore[misc]  # a command's
        for each in parameters:
            if getattr(each, "help", None):
                each.help = tr(each.help)  # see tools/foreign_messages.py; ours is translated
        return parameters

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's own types
        """Write the line that shows how to call it."""
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]  # a command's
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=tr("Usage: "))


class ForAll(_InReadersLanguage, TyperCommand):
    """A verb that needs no privileges to begin with."""


class ForRoot(ForAll):
    """A verb that reads or changes the kernel's firewall; without root it does nothing."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Run the verb; without root, say so before anything else."""
        if not has_net_admin() and not _is_for_cluster(ctx):
            raise refusal(str(self.name))
        return super().invoke(ctx)


class ForReaders(ForAll):
    """A verb that is of use without the kernel, too, if it can read the state."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Run the verb; without root, say first what is missing."""
        if not has_net_admin() and not _is_for_cluster(ctx):
            if _is_state_closed(ctx.obj):
                raise refusal(str(self.name))
            said = tr(
                "Without root, 'geofence {verb}' cannot read the kernel; it shows only what is "
                "stored on disk.",
                verb=self.name,
            )
            typer.echo(said, err=True)
        return super().invoke(ctx)


class ForStateReaders(ForAll):
    """A verb that reads the state on disk and nothing of the kernel."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types
        """Run the verb; if this user cannot read the state, say that it needs root."""
        if _is_state_closed(ctx.obj):
            raise refusal(str(self.name))
        return super().invoke(ctx)


class Verbs(_InReadersLanguage, TyperGroup):
    """All verbs; an unknown one gets a suggestion."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types
        """Find the verb.

        Raises:
            UsageError: there is no such verb.
        """
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            from geofence.cli.unknown_verb import unknown_verb

            known = [name for name, each in self.commands.items() if not each.hidden]
            raise UsageError(unknown_verb(args[0], known))
        return super().resolve_command(ctx, args)


def _is_for_cluster(ctx: Any) -> bool:  # noqa: ANN401 - typer's own types
    """Whether a verb is about a cluster, where the kernel of this host does not matter."""
    return bool(ctx.params.get("target"))


def _is_state_closed(site: object) -> bool:
    """Whether there is a state that this user cannot read."""
    # Not at the top: --help shows the verbs without it, in three quarters of the time.
    from geofence.operations.site import Site

    if not isinstance(site, Site):
        return False
    try:
        os.stat(site.state_directory)  # noqa: PTH116 - pathlib hides that it is not allowed
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(site.state_directory, os.R_OK | os.X_OK)
