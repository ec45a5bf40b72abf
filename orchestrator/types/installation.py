"""Where this package was installed from, and the command that adds an extra there."""

from __future__ import annotations

import sys
from pathlib import Path

#: The name on the package index. `orchestrator` there is a package of somebody else.
DISTRIBUTION = "gmn-orchestrator"
_FOLDER = Path(__file__).resolve().parents[2]


def install_command(extra: str) -> str:
    """The shell command that adds `extra` to this installation.

    A checkout (`pip install -e .`, `pip install .`, or a folder on PYTHONPATH) is named by its
    path, and Python by its own: the environment of a checkout is seldom the one on PATH.
    """
    # Needed by an error alone: importing them would slow every start of the command.
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415
    from json import loads  # noqa: PLC0415
    from shlex import quote  # noqa: PLC0415
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415

    try:
        origin = loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {"url": _FOLDER.as_uri(), "dir_info": {"editable": True}}
    checkout = Path(unquote(urlsplit(origin.get("url", "")).path))
    if "dir_info" not in origin or not (checkout / "pyproject.toml").is_file():
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    flag = "-e " if origin["dir_info"].get("editable") else ""
    return f"{quote(sys.executable)} -m pip install {flag}{quote(f'{checkout}[{extra}]')}"
