"""The report of ``setup``: what was found, asked, proposed and done."""

from __future__ import annotations

from dataclasses import dataclass

from geofence.operations.plan import PlanReport
from geofence.operations.report import RunReport
from geofence.setup.answers import Answers, Question
from geofence.setup.machine import Machine
from geofence.setup.proposal import Proposal


@dataclass(frozen=True, slots=True)
class SetupReport:
    """One run of ``setup``."""

    found: Machine
    questions: tuple[Question, ...]
    """Those that neither options nor rules had answered."""
    answers: Answers
    proposal: Proposal
    plan: PlanReport | None = None
    """None while no country is known."""
    run: RunReport | None = None
    """None if nothing was applied."""
