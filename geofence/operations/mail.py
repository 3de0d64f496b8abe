"""``[notify] mail``: a mail by the MTA of this host.

By SMTP to the loopback: in the sandbox of the units, the program ``sendmail`` of most MTAs does not
work, since it needs a privilege of its own. It is tried where nothing listens.
"""

from __future__ import annotations

import os
import smtplib
import socket
import subprocess
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from geofence.model.notes import Note, NoteKind

SMTP = 25
_SERVER = ("127.0.0.1", SMTP)
SENDMAIL = Path("/usr/sbin/sendmail")
_MAILNAME = Path("/etc/mailname")
"""Where Debian keeps the domain of local users."""
_SECONDS = 30.0
_SHOWN = 500
"""Characters of what an MTA said that a note repeats."""


def send_mail(to: Sequence[str], facts: Mapping[str, object]) -> tuple[Note, ...]:
    """Hand a mail to the MTA, and return what went wrong."""
    names = ("host", "event", "command", "exit_code", "at")
    lines = (f"{name}: {facts[name]}" for name in names)
    mail = _mail(to, f"geofence on {facts['host']}: {facts['event']}")
    mail.set_content("\n".join((str(facts["message"]), "", *lines, "")))
    return _send(to, mail)


def send_page(to: Sequence[str], subject: str, text: str, page: str) -> tuple[Note, ...]:
    """Hand a page as HTML and as text to the MTA, and return what went wrong."""
    mail = _mail(to, subject)
    mail.set_content(text)
    mail.add_alternative(page, subtype="html")
    return _send(to, mail)


def _send(to: Sequence[str], mail: EmailMessage) -> tuple[Note, ...]:
    try:
        _by_smtp(mail)
    except ConnectionRefusedError as error:
        return _by_program(mail) if os.access(SENDMAIL, os.X_OK) else _failed(to, str(error))
    except (OSError, smtplib.SMTPException) as error:
        return _failed(to, _said(error))
    return ()


def _mail(to: Sequence[str], subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"geofence <{_qualified('root')}>"
    mail["To"] = ", ".join(map(_qualified, to))
    mail["Subject"] = subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid("geofence", _domain())
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers that he is on holiday
    return mail


def _domain() -> str:
    try:
        name = _MAILNAME.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        name = ""
    domain = name or socket.gethostname()
    return domain if domain.replace("-", "").replace(".", "").isalnum() else "localhost"


def _qualified(address: str) -> str:
    """Return an address with the domain of this host where it has none; some MTAs demand it."""
    return address if "@" in address else f"{address}@{_domain()}"


def _by_smtp(mail: EmailMessage) -> None:
    with smtplib.SMTP(*_SERVER, local_hostname=_domain(), timeout=_SECONDS) as server:
        refused = server.send_message(mail)
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)


def _by_program(mail: EmailMessage) -> tuple[Note, ...]:
    to = str(mail["To"]).split(", ")
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program; addresses are checked, no shell
            [SENDMAIL, "-i", "--", *to],
            input=mail.as_bytes(),
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return _failed(to, str(error))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        return _failed(to, said)
    return ()


def _said(error: OSError | smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
        return f"{error.smtp_code} {text}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reason = next(iter(error.recipients.values()))
        return f"{code} {reason.decode(errors='replace')}"
    return str(error) or type(error).__name__


def _failed(to: Sequence[str], why: str) -> tuple[Note, ...]:
    plain = "".join(char if char.isprintable() else " " for char in why[:_SHOWN])
    return (Note(NoteKind.MAIL_FAILED, ", ".join(to), {"message": plain}),)
