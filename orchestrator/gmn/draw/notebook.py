"""What notebooks show of a model and of an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.draw.picture import PARTS, episode_picture, picture
from orchestrator.gmn.draw.svg import svg
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.draw.picture import Part
    from orchestrator.gmn.model import GMNSpec


def svg_of(spec: GMNSpec, parts: Collection[Part] = PARTS) -> str:
    """The picture of a model as it is, not repaired; of one with errors what can be drawn."""
    return svg(picture(validate(spec, repair="none", run_steps=0), parts=parts))


def svg_of_run(run: Run) -> str:
    """The picture of an episode."""
    return svg(episode_picture(run))
