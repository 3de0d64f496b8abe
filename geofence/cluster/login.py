"""How geofence logs in to a cluster: a kubeconfig, or the service account of its pod.

A kubeconfig may name a program that fetches credentials. geofence runs as root or unattended, so
it runs none unless the rules say so: who can write the kubeconfig could run anything. For the same
reason it must be a file that nobody else can write.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geofence.errors import ClusterError
from geofence.host.acl import read_acl
from geofence.host.ownership import distrust, distrust_on_the_way
from geofence.model.target import Target
from geofence.spelling import quoted
from geofence.targets.objects import as_mapping
from geofence.translation import tr

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has the token of its service account."""
_PROGRAMS = ("exec", "auth-provider")
"""Keys of a user that name a program."""
_DAMAGE = (AttributeError, LookupError, TypeError, ValueError)
"""What the client raises where something else is in a kubeconfig than belongs there."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def configuration(target: Target) -> Any:  # noqa: ANN401 - the client's own type
    """Return the client's configuration for a target.

    Raises:
        ClusterError: the client is not installed, or there are no usable credentials.
    """
    try:
        from kubernetes import client
    except ImportError as error:
        raise ClusterError(
            tr(
                "The target {target} needs the Python client of Kubernetes. Install the package "
                "python3-kubernetes, or 'geofence[kubernetes]' with pip.",
                target=target.name,
            )
        ) from error
    made = client.Configuration()
    if target.kubeconfig:
        _from_file(target, made)
    else:
        _from_pod(target, made)
    _refuse_unsafe(target, made)
    made.retries = False  # a refusal is an answer; see ``connection``
    return made


def _from_pod(target: Target, made: object) -> None:
    from kubernetes import config

    if not (SERVICE_ACCOUNT / "token").exists():
        raise ClusterError(
            tr(
                "The target {target} has no credentials, since geofence does not run in a pod with "
                "a service account. Name a kubeconfig in [target.{target}].",
                target=target.name,
            )
        )
    load: Any = config.load_incluster_config  # it has no types
    try:
        load(client_configuration=made)
    except config.ConfigException as error:
        raise ClusterError(
            tr(
                "The service account of this pod cannot be used for the target {target}: {reason}. "
                "Check the pod's serviceAccountName and automountServiceAccountToken.",
                target=target.name,
                reason=error,
            )
        ) from error


def _from_file(target: Target, made: object) -> None:
    from kubernetes import config

    path = Path(target.kubeconfig)
    content = _read(path)
    _refuse_programs(target, content)
    load: Any = config.load_kube_config  # it has no types
    try:
        load(
            config_file=str(path),
            context=target.context or None,
            client_configuration=made,
            persist_config=False,
        )
    except (config.ConfigException, OSError, *_DAMAGE) as error:
        raise ClusterError(
            tr(
                "The kubeconfig {path} cannot be used: {reason}. Check the file, and the key "
                "context of [target.{target}].",
                path=path,
                reason=_reason(error, target, content),
                target=target.name,
            )
        ) from error


def _reason(error: Exception, target: Target, content: Mapping[str, Any]) -> str:
    """Return why a kubeconfig cannot be used; the client's own words may have a token in them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    wanted = _wanted_context(target, content)
    if not _named(content, "contexts", wanted):
        return tr("it has no context {name}", name=quoted(str(wanted)))
    return tr("it is damaged")


def _read(path: Path) -> Mapping[str, Any]:
    """Return what a kubeconfig says.

    Raises:
        ClusterError: it cannot be read, or others could have written it.
    """
    import yaml

    try:
        with path.open("rb") as file:
            doubt = distrust(os.fstat(file.fileno()), read_acl(file.fileno()), by_hand=True)
            content = file.read()
        place = (path, doubt) if doubt else distrust_on_the_way(path)
    except OSError as error:
        raise ClusterError(
            tr(
                "The kubeconfig {path} cannot be read: {reason}.",
                path=path,
                reason=error.strerror or type(error).__name__,
            )
        ) from error
    if place:
        raise ClusterError(
            tr(
                "The kubeconfig {path} is not used: {place} {reason}. Run '{remedy} {place}'.",
                path=path,
                place=place[0],
                reason=place[1].reason,
                remedy=place[1].remedy,
            )
        )
    try:
        found = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ClusterError(tr("The kubeconfig {path} is not YAML.", path=path)) from error
    if not isinstance(found, dict):
        raise ClusterError(tr("The kubeconfig {path} has no contexts.", path=path))
    return found


def _refuse_programs(target: Target, content: Mapping[str, Any]) -> None:
    """Raise an error if the user of the context logs in by a program that the rules do not allow.

    Raises:
        ClusterError: it does.
    """
    if target.login_program:
        return
    named = _named(content, "contexts", _wanted_context(target, content))
    context = as_mapping(named.get("context"))
    user = as_mapping(_named(content, "users", context.get("user")).get("user"))
    if any(user.get(key) for key in _PROGRAMS):
        raise ClusterError(
            tr(
                "The kubeconfig {path} logs in by a program, which geofence does not run unasked. "
                "Use a token or a client certificate, or write login_program = true into "
                "[target.{target}].",
                path=target.kubeconfig,
                target=target.name,
            )
        )


def _wanted_context(target: Target, content: Mapping[str, Any]) -> object:
    return target.context or content.get("current-context")


def _named(content: Mapping[str, Any], key: str, name: object) -> Mapping[str, Any]:
    found = content.get(key)
    entries = found if isinstance(found, list) else []
    return next(
        (each for each in entries if isinstance(each, dict) and each.get("name") == name), {}
    )


def _refuse_unsafe(target: Target, made: Any) -> None:  # noqa: ANN401 - the client's own type
    """Raise an error if the token would go to a server that nobody has checked.

    Raises:
        ClusterError: it would.
    """
    server = urlsplit(str(made.host))
    plain = server.scheme != "https" and server.hostname not in _LOOPBACK
    if plain or not made.verify_ssl:
        raise ClusterError(
            tr(
                "The target {target} would send its credentials to a server without checking its "
                "certificate. Name the certificate-authority in the kubeconfig.",
                target=target.name,
            )
        )
