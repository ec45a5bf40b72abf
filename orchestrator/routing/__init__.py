"""The only room that knows LiteLLM."""

from __future__ import annotations

from orchestrator.routing.attempts import cost_of, usage_of
from orchestrator.routing.checkup import checkup, form_check
from orchestrator.routing.complete import RouterCompleter
from orchestrator.routing.deployments import Deployments, Dropped, deployments_of, resolved
from orchestrator.routing.host import HostedRouter, hosted_router
from orchestrator.routing.modes import MODES_FILE, Modes
from orchestrator.routing.plan import Plan, plan
from orchestrator.routing.stream import recorded

__all__ = [
    "MODES_FILE",
    "Deployments",
    "Dropped",
    "HostedRouter",
    "Modes",
    "Plan",
    "RouterCompleter",
    "checkup",
    "cost_of",
    "deployments_of",
    "form_check",
    "hosted_router",
    "plan",
    "recorded",
    "resolved",
    "usage_of",
]
