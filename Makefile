# One command each: `make demo`, `make test`, `make check`. Needs python3 >= 3.11 with pip, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYMDP_VENV := .venv-pymdp
PROXY_VENV := .venv-proxy
# Twice the cores of a small machine: half of the time a test waits for a server.
WORKERS ?= 4

# $(call environment,directory,constraints,what it is): installed by hash, then this project itself.
define environment
@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
@echo "Installing $(3) into $(1) ..." >&2
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
@touch $(1)/.installed
endef

.DEFAULT_GOAL := help
.PHONY: help demo test check format test-pymdp test-proxy prompt-ci chaos bench bench-structured constraints clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The stamp is newer than what it was made from, so a second run installs nothing and needs no net.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 demo" >&2; exit 1; }
	$(call environment,$(VENV),constraints.txt,orchestrator (once; about a minute))

demo: $(VENV)/.installed ## a sentence becomes a running model, with no key and no network
	@$(BIN)/orchestrator demo

test: $(VENV)/.installed ## the test suite, with branch coverage
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not redis and not proxy and not pymdp" --cov --cov-report=term

check: $(VENV)/.installed ## format, lint, types, import layers, gates of shape
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_gates.py

format: $(VENV)/.installed ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(PYMDP_VENV)/.installed: pyproject.toml constraints-pymdp.txt
	$(call environment,$(PYMDP_VENV),constraints-pymdp.txt,pymdp and JAX (about 850 MB))

test-pymdp: $(PYMDP_VENV)/.installed ## beliefs and expected free energy against pymdp
	$(PYMDP_VENV)/bin/python -m pytest -q -m pymdp

$(PROXY_VENV)/.installed: pyproject.toml constraints-proxy.txt
	$(call environment,$(PROXY_VENV),constraints-proxy.txt,LiteLLM's proxy)

test-proxy: $(PROXY_VENV)/.installed ## with a real LiteLLM proxy, and a real Redis server where there is one
	$(PROXY_VENV)/bin/python -m pytest -q -m "proxy or redis" $$(command -v redis-server > /dev/null && echo --cov --cov-config=tests/cache/coverage.ini)

prompt-ci: $(VENV)/.installed ## the evaluation over scripted faulty models; fails when it got worse
	$(BIN)/python -m benchmarks.prompt_ci

bench-structured: $(VENV)/.installed ## ours against Instructor, pydantic-ai, DSPy and a loop by hand
	$(BIN)/python -m benchmarks.structured --install

chaos: $(VENV)/.installed ## 50,000 requests through a faulty server, with a seed of its own each time
	CHAOS_REQUESTS=50000 CHAOS_SEED=$$(date +%s) $(BIN)/python -m pytest -q -o timeout=7200 tests/routing/test_chaos.py

bench: $(VENV)/.installed ## every performance claim, as a ratio measured here and now
	@for script in benchmarks/bench_*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; done

constraints: $(VENV)/.installed ## pin the tested versions anew, with hashes and without addresses
	$(BIN)/python -m pip install --quiet 'pip-tools>=7.4,<8'
	$(BIN)/pip-compile $(COMPILE) --extra dev -o constraints.txt pyproject.toml
	$(BIN)/pip-compile $(COMPILE) --extra dev --extra proxy --extra redis -o constraints-proxy.txt pyproject.toml
	$(BIN)/pip-compile $(COMPILE) --extra dev --extra pymdp -c constraints.txt -o constraints-pymdp.txt pyproject.toml

COMPILE := --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-options --no-header --no-annotate

clean: ## remove the environments and everything generated
	rm -rf $(VENV) $(PYMDP_VENV) $(PROXY_VENV) .venv-peers dist build .coverage .coverage.* .mypy_cache .ruff_cache .hypothesis .pytest_cache .import_linter_cache
