"""Curated models: few-shot examples for real models, archetypes for the embedded provider."""

from __future__ import annotations

from orchestrator.gmn.library.answer import answer
from orchestrator.gmn.library.examples import Example, choose, load

__all__ = ["Example", "answer", "choose", "load"]
