"""`make canary`: tries the newest releases of every dependency, also beyond our bounds.

Runs the contract tests of LiteLLM, the routing tests and the demo over them, and, where something
fails, once more over each changed package alone, so that what broke is named with the package that
broke it. This is how the bounds in pyproject.toml move.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-canary"
PYTHON = HOME / "bin" / "python"
PIP = (PYTHON, "-m", "pip", "--disable-pip-version-check")
TESTS = ("tests/routing", "tests/cache", "tests/cli", "tests/config/test_settings.py")
PINS = ("constraints-setup.txt", "constraints-dev.txt")


def run(*command: object, is_quiet: bool = True) -> subprocess.CompletedProcess[str]:
    """A command in the project's directory; what it prints is kept, not shown."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, capture_output=is_quiet, text=True, check=False)


def needed(*command: object) -> str:
    """What a command prints; the canary ends where it fails."""
    made = run(*command)
    if made.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{made.stdout}{made.stderr}")
    return made.stdout


def requirements() -> dict[str, Requirement]:
    """Our own dependencies and those of the tests, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return {one.name.lower(): one for one in map(Requirement, stated)}


def install_pins() -> None:
    """The environment of `make test`, in a directory of its own."""
    for file in PINS:
        needed(*PIP, "install", "--quiet", "--no-deps", "--no-build-isolation", "--require-hashes",
               "-r", file)  # fmt: skip
    needed(*PIP, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")


def versions() -> dict[str, str]:
    """What is installed, by name."""
    listed = needed(*PIP, "list", "--format=freeze", "--exclude-editable").split()
    return dict(line.lower().split("==", 1) for line in listed if "==" in line)


def upgrade(*names: str) -> dict[str, str]:
    """Install the newest releases of `names`; return the versions that changed, by name."""
    before = versions()
    needed(*PIP, "install", "--quiet", "--upgrade", *names)
    return {name: at for name, at in versions().items() if before.get(name) != at}


def failures(*tests: str) -> list[str]:
    """The tests that fail, and the demo if it does."""
    made = run(PYTHON, "-m", "pytest", "-q", "-n", "4", "-m",
               "not redis and not proxy and not pymdp and not install", *tests)  # fmt: skip
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", made.stdout, re.M)
    if made.returncode and not failed:
        failed = [f"the tests do not start: {(made.stdout + made.stderr)[-2000:]}"]
    demo = run(HOME / "bin" / "orchestrator", "demo")
    return [*failed, *(["orchestrator demo"] if demo.returncode else [])]


GOING = """
import datetime
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.models.retirement import retirement
from orchestrator.routing.prices import model_table
config = Config.load(None, {})
keys = {f"{one.model_name.partition('-')[0].upper()}_API_KEY": "k" for one in config.model_list}
today = datetime.datetime.now(datetime.UTC).date()
for one in deployments_of(config, keys).ready:
    if (goes := retirement(one, today, model_table())) is not None:
        print(f"  {one.model} goes on {goes.on}; next: {goes.successor or 'not named'}")
"""


def main() -> int:
    """Print what was tried, what broke, and by which package; 1 when something did."""
    venv.create(HOME, with_pip=True, clear=True, symlinks=True)
    install_pins()
    ours = requirements()
    changed = upgrade(*ours)
    print(f"{len(ours)} dependencies tried, {len(changed)} packages newer than their pins")
    for name, at in sorted(changed.items()):
        is_beyond = name in ours and not ours[name].specifier.contains(at)
        print(f"  {name} {at}{'  beyond our bounds' if is_beyond else ''}")
    print("models of config.yaml that their providers retire within 90 days:")
    print(needed(PYTHON, "-c", GOING) or "  none\n", end="")
    broken = failures(*TESTS)
    if not broken:
        print("nothing broke: the bounds may move to these versions")
        return 0
    print("broken:", *broken, sep="\n  ")
    for name in sorted(changed):
        install_pins()
        upgrade(name)
        if caused := failures(*(one for one in broken if "::" in one)):
            print(f"by {name} {changed[name]}:", *caused, sep="\n  ")
    return 1


if __name__ == "__main__":
    sys.exit(main())
