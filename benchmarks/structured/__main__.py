"""Run every client over every mix; print calls, tokens and seconds per valid answer.

Peers live in environments of their own under ``.venv-peers``; `--install` makes them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.structured.model import MIXES, Counted, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-peers"
CLIENTS = Path(__file__).parent / "clients"
#: By peer: the file of its client, and the package to install.
PEERS = {
    "Instructor": ("instructor_.py", "instructor==1.17.0"),
    "pydantic-ai": ("pydantic_ai_.py", "pydantic-ai-slim[openai]==2.68.0"),
    "DSPy": ("dspy_.py", "dspy==3.4.1"),
    "LiteLLM by hand": ("loop.py", ""),
    "orchestrator": ("ours.py", ""),
}


def python_of(peer: str) -> Path:
    """The interpreter of a peer; a peer without a package runs in this environment."""
    if not PEERS[peer][1]:
        return Path(sys.executable)
    return HOME / PEERS[peer][1].partition("==")[0].partition("[")[0] / "bin" / "python"


def install() -> None:
    """Create the environments of the peers."""
    for peer, (_, package) in PEERS.items():
        if package and not python_of(peer).exists():
            venv.create(python_of(peer).parents[1], with_pip=True)
            pip = [str(python_of(peer)), "-m", "pip", "install", "--quiet", package]
            subprocess.run(pip, check=True)


def measured(peer: str, *, patches: bool) -> dict[str, dict[str, Any]]:
    """Outcome, calls, tokens and seconds of a peer, by mix, over a model of that kind."""
    model = ScriptedModel(patches=patches)
    environ = {**os.environ, "PYTHONPATH": str(ROOT) if not PEERS[peer][1] else ""}
    with model.serving():
        command = [str(python_of(peer)), str(CLIENTS / PEERS[peer][0]), model.base, *MIXES]
        ran = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    if len(lines) < len(MIXES):
        sys.stderr.write(ran.stderr[-2000:])
    found = {}
    for line in lines:
        counted = model.counted.get(line["mix"], Counted())
        found[line["mix"]] = {**line, **vars(counted)}
    return found


def main() -> None:
    """Print one line per mix and peer, and the sums, for both kinds of model."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--install", action="store_true", help="make the peers' environments")
    if arguments.parse_args().install:
        install()
    peers = [peer for peer in PEERS if python_of(peer).exists()]
    for left_out in sorted(set(PEERS) - set(peers)):
        print(f"structured: {left_out} is not installed; run with --install")
    for patches in (True, False):
        print(f"\nA model that {'patches' if patches else 'always sends the whole document'}:")
        _print({peer: measured(peer, patches=patches) for peer in peers})


def _print(results: Mapping[str, dict[str, dict[str, Any]]]) -> None:
    print(f"{'mix':<14}{'tool':<18}{'outcome':<18}{'calls':>6}{'prompt':>8}{'answer':>8}{'s':>8}")
    for mix in MIXES:
        for peer, by_mix in results.items():
            one = by_mix.get(mix, {"outcome": "no result", **vars(Counted()), "seconds": 0.0})
            print(
                f"{mix:<14}{peer:<18}{one['outcome']:<18}{one['calls']:>6}{one['prompt_tokens']:>8}"
                f"{one['completion_tokens']:>8}{one['seconds']:>8.2f}"
            )
    for peer, by_mix in results.items():
        good = [one for one in by_mix.values() if one["outcome"] == "good"]
        calls = sum(one["calls"] for one in by_mix.values())
        tokens = sum(one["prompt_tokens"] + one["completion_tokens"] for one in by_mix.values())
        per = tokens / len(good) if good else float("nan")
        print(
            f"{'all':<14}{peer:<18}{len(good)} of {len(MIXES)} good, {calls} calls,"
            f" {tokens} tokens, {per:.0f} per valid answer"
        )


if __name__ == "__main__":
    main()
