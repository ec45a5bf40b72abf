"""The forms that a document is written in, in one table."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.gmn.model import GMNSpec


def write_arrays(spec: GMNSpec) -> str:
    """The arrays under pymdp's argument names, as JSON.

    Raises: GMNError: the document does not compile.
    """
    return json_text(compile_spec(spec).to_json()) + "\n"


def _by(module: str) -> Callable[[GMNSpec], str]:
    """What writes the form of a file in this room, which is imported only then."""
    return lambda spec: cast("str", import_module(f"{__package__}.{module}").write(spec))


#: What a form has no place for, and an export in it leaves out.
LEFT_OUT = {
    "pymdp": "descriptions, metadata and questions to a language model",
    "pymdp-script": "descriptions, metadata and questions to a language model",
    "pomdp": "descriptions, metadata, the horizon, gamma, the selection and info_gain",
}
#: By name, what writes a document in that form; each raises GMNError where the form cannot hold it.
FORMS: Mapping[str, Callable[[GMNSpec], str]] = {
    "gmn": write_text,
    "json": write_json,
    "pymdp": write_arrays,
    "pymdp-script": _by("pymdp_script"),
    "gnn": _by("gnn_write"),
    "pomdp": _by("cassandra_write"),
}
