# Firstseen's commands. `make` lists them.
# Everything runs from .venv, which makes itself once from pyproject.toml and requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow static check fix proto stubs lock bench bench-compare clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## start a server, load photographs, check copies of them
	@$(PY) -m bench.demo

test: $(READY) ## run the tests
	@$(PY) -m pytest

test-slow: $(READY) ## run the tests that take longer than ten seconds
	@$(PY) -m pytest -m slow || [ $$? -eq 5 ] # 5: there is none

static: $(READY) proto ## check style, types, imports and the contract, without the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(PY) -m tests.contracts.generate_stubs --check client

check: static test ## run every check: static, then the tests

fix: $(READY) ## repair what ruff can repair, and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

proto: $(READY) ## lint the contract and compare it with the last one, where buf is present
	@PY=$(PY) tests/contracts/check_proto.sh

stubs: $(READY) ## make the Python stubs from the contract again
	@$(PY) -m tests.contracts.generate_stubs client

bench: $(READY) ## measure all but quality, for about fifteen minutes; `python -m bench` lists each
	@$(PY) -m bench all

bench-compare: $(READY) ## time the small parts of this revision and of REF=…, in turns
	@test -n "$(REF)" || { echo "Say with what to compare: make bench-compare REF=main" >&2; exit 2; }
	@$(PY) -m bench.compare $(REF)

lock: ## choose the newest versions and write requirements.lock
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	$(PYTHON) -m venv "$$tools" && "$$tools/bin/python" -m pip install --quiet uv && \
	"$$tools/bin/uv" pip compile pyproject.toml --group dev --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	    --quiet --output-file requirements.lock

clean: ## remove .venv and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks build dist

# The checks come first, so that a missing tool is one sentence and not a page of compiler output.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "Firstseen needs Python 3.11 or newer: run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "Firstseen needs Python's venv and pip: install python3-venv" >&2; exit 1; }
	@{ command -v c++ || command -v g++ || command -v clang++; } >/dev/null && \
	    $(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || \
	    { echo "pdqhash is built from source and needs a C++ compiler: install g++ or clang++, and the Python headers" >&2; exit 1; }
	@echo "Setting up $(VENV), once: one to three minutes" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@command -v g++ >/dev/null || { command -v clang++ >/dev/null && export CC=clang CXX=clang++; }; \
	    $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
