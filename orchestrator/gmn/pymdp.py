"""The same model as an agent of pymdp 1.0.4, the reference implementation; an optional extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.errors import GMNError, MissingExtraError

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled


def to_pymdp(model: Compiled) -> Any:
    """A ``pymdp.agent.Agent`` with the model's arrays, batch size 1.

    Raises:
        MissingExtraError: pymdp is not installed.
        GMNError: the model prefers a hidden state, which pymdp cannot express exactly.
    """
    if model.has_state_utility:
        raise GMNError(
            "pymdp cannot express the utility of a hidden state exactly; prefer an observation that"
            " identifies it"
        )
    try:
        import jax.numpy as jnp  # noqa: PLC0415  850 MB that most users do without
        from pymdp.agent import Agent  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("Export to pymdp", "pymdp") from error

    def arrays(tables: Any) -> list[Any]:
        return [jnp.asarray(table, jnp.float32) for table in tables]

    return Agent(
        A=arrays(model.A),
        B=arrays(model.B),
        C=arrays(model.C),
        D=arrays(model.D),
        E=jnp.asarray(model.E, jnp.float32),
        A_dependencies=[list(parents) for parents in model.A_dependencies],
        B_dependencies=[list(parents) for parents in model.B_dependencies],
        B_action_dependencies=[list(controls) for controls in model.B_action_dependencies],
        num_controls=[action.n for action in model.actions],
        policy_len=model.horizon,
        gamma=model.gamma,
        use_states_info_gain=model.info_gain,
        # Controls shared by factors need whole policies, not marginals.
        sampling_mode="full",
    )
