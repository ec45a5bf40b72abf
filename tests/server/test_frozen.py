"""`orchestrator serve` keeps what it loaded before the first request out of garbage collections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# A signal asks the process itself; the command freezes once more as it ends, which is too late.
SERVES = """
import gc, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: print("frozen", gc.get_freeze_count(), flush=True))
sys.argv = ["orchestrator", "serve", "--port", "0"]
from orchestrator.cli.entry import main
sys.exit(main())
"""


def test_what_was_loaded_before_the_first_request_is_frozen(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model_list: [{model_name: o, litellm_params: {model: offline/gmn}}]\n")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "ORCHESTRATOR_CONFIG": str(config)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVES], env=environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as serving:  # fmt: skip
        try:
            assert serving.stdout is not None
            address = next(line for line in serving.stdout if line.startswith("http://")).split()[0]
            with urllib.request.urlopen(f"{address}/v1/models", timeout=60) as answer:
                assert answer.status == 200
            serving.send_signal(signal.SIGUSR1)
            said = next(line for line in serving.stdout if line.startswith("frozen "))
        finally:
            serving.send_signal(signal.SIGTERM)
    assert int(said.split()[1]) > 10_000
