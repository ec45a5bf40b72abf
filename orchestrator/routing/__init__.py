"""The only room that knows LiteLLM."""

from __future__ import annotations

from orchestrator.routing.account import cost_of, usage_of
from orchestrator.routing.build import litellm_router
from orchestrator.routing.checkup import checkup
from orchestrator.routing.complete import RouterCompleter
from orchestrator.routing.deployments import Deployments, Dropped, deployments_of
from orchestrator.routing.plan import Plan, plan

__all__ = [
    "Deployments",
    "Dropped",
    "Plan",
    "RouterCompleter",
    "checkup",
    "cost_of",
    "deployments_of",
    "litellm_router",
    "plan",
    "usage_of",
]
