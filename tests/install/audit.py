"""`make audit`: pip-audit over every pin that holds for this Python and platform.

A known vulnerability fails, and so does a pin that the index of advisories does not know. Where no
index can be reached, that is said and nothing fails. pip-audit itself passes over what it does not
find, so that an index without advisories would look like a clean result.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Findings that do not concern us, each with its reason. A new one needs a test that shows it.
ACCEPTED = {
    "CVE-2025-69872": "diskcache unpickles its store; ours holds JSON and refuses pickles"
    " (tests/cache/test_disk_tampered.py)",
}
PIP_AUDIT = ("-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off")


def audited(file: Path) -> list[dict[str, Any]]:
    """pip-audit's answer on each pin of a file; empty where its index gave none."""
    ignored = [f"--ignore-vuln={identifier}" for identifier in ACCEPTED]
    made = subprocess.run(
        [sys.executable, *PIP_AUDIT, *ignored, "--format=json", "--requirement", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.stdout.startswith("{"):
        answers: list[dict[str, Any]] = json.loads(made.stdout)["dependencies"]
        return answers
    # pip-audit 2.10 words one kind of failed connection and lets the others through.
    if "Could not connect" in made.stderr or "requests.exceptions." in made.stderr:
        return []
    sys.exit(f"pip-audit cannot read {file.name}:\n{made.stderr}")


def main() -> int:
    """Print what was found; 1 for a vulnerability or a pin that the index does not know."""
    answers = {
        (one["name"], one.get("version")): one
        for file in sorted(ROOT.glob("constraints*.txt"))
        for one in audited(file)
    }
    print(*(f"accepted: {found}: {reason}" for found, reason in ACCEPTED.items()), sep="\n")
    known = [one for one in answers.values() if "vulns" in one]
    if not known:
        print("No index of advisories can be reached from here: NO pin was audited.")
        return 0
    faults = [
        f"{one['name']} {one['version']}: {found['id']}, fixed in "
        f"{', '.join(found['fix_versions']) or 'no release'}"
        for one in known
        for found in one["vulns"]
    ]
    faults += [one["skip_reason"] for one in answers.values() if "vulns" not in one]
    print(*faults, f"{len(known)} pins audited, {len(faults)} faults", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
