"""`import orchestrator` and `orchestrator validate` compared with a bare interpreter start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.ratio import interleaved, spell

ROOT = Path(__file__).resolve().parent.parent
MODEL = str(ROOT / "prompts" / "library" / "explorer.gmn")
#: The imports that validation cannot avoid, without any code of this package.
FLOOR = "import numpy, pydantic; type('M', (pydantic.BaseModel,), {})"


def run(*arguments: str) -> None:
    """Run the interpreter with these arguments and discard its output."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)


def main() -> None:
    """Print one line per claim."""
    bare = interleaved(lambda: run("-c", "import orchestrator"), lambda: run("-c", "pass"))
    print(bare.line("import_time", "import orchestrator", "bare interpreter"))
    print(f"import_time: the import itself takes {spell(bare.a_s - bare.b_s)} (bound 50 ms)")
    validate = interleaved(
        lambda: run("-m", "orchestrator", "validate", MODEL),
        lambda: run("-c", FLOOR),
    )
    print(validate.line("import_time", "validate one file", "numpy and pydantic alone"))
    print(f"import_time: validate takes {spell(validate.a_s)} wall in all (bound 250 ms)")
    litellm = interleaved(lambda: run("-c", "import litellm"), lambda: run("-c", "pass"), rounds=5)
    print(litellm.line("import_time", "import litellm", "bare interpreter"))


if __name__ == "__main__":
    main()
