"""Ansible's connection to a host of the lab, which is made only if a packet gets there."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: lab
short_description: run on a host of the lab that can be reached
description:
  - Runs programs in namespaces of this machine, after a TCP connection to their network was made.
author: the authors of geofence
extends_documentation_fragment: connection_pipelining
options:
  entering:
    description: The program, with its arguments, that another one is run by.
    type: list
    elements: str
    vars: [{name: ansible_lab_entering}]
  address:
    description: Address that has to answer.
    vars: [{name: ansible_host}]
  port:
    description: TCP port that has to answer.
    type: int
    vars: [{name: ansible_port}]
"""


class Connection(Local):  # type: ignore[misc] # it has no types
    transport = "lab"

    def _connect(self) -> Connection:
        if not self._connected:
            place = (self.get_option("address"), self.get_option("port"))
            try:
                socket.create_connection(place, timeout=1).close()
            except OSError as error:
                raise AnsibleConnectionFailure(f"no connection to {place}: {error}") from error
            super()._connect()
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        self._connect()
        entering = [*self.get_option("entering"), "sh", "-c", cmd]
        done: tuple[int, bytes, bytes] = super().exec_command(
            shlex.join(entering), in_data, sudoable
        )
        return done

    def put_file(self, in_path: str, out_path: str) -> None:
        command = f"cat > {shlex.quote(out_path)}"
        code, _, said = self.exec_command(command, Path(in_path).read_bytes(), sudoable=False)
        if code:
            raise AnsibleConnectionFailure(said.decode(errors="replace"))

    def reset(self) -> None:
        self.close()
