# Needs Python 3.11 with venv, make and git. Everything else is installed below this folder, as uv.lock says.
#
#   make demo                    the simulated plant and the gateway; Ctrl-C ends both
#   make demo ARGS="--port 8080" the same with options (crossdock demo --help)
#   make test                    every test
#   make test ARGS="-k lots"     some tests

PYTHON ?= python3
ARGS ?=
UV_VERSION := 0.13.9
UV := .cache/uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready
SUITES := .cache/suites/.ready

export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
# An environment that happens to be active in the caller's shell is not ours.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help demo test fast lint types bench package docs clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'also: fast lint types bench package docs clean'

$(UV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Crossdock needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --python $(PYTHON)
	@touch $@

demo: $(READY)
	$(BIN)/crossdock demo $(ARGS)

# Tests of others, which run against our executor: source archives from the package index, by the hashes in uv.lock.
$(SUITES): uv.lock tests/conformance/suites.py | $(UV)
	.cache/uv/bin/python tests/conformance/suites.py
	@touch $@

# What waits more than it works (brokers, receivers, processes that are killed) runs beside the rest.
BESIDE := tests/e2e/brokers tests/e2e/webhooks tests/e2e/streams tests/contract/test_writes_killed.py

test: $(READY) $(SUITES)
	$(BIN)/python -m tests.beside $(BESIDE) -- $(ARGS)

# What runs in seconds, without processes of its own.
fast: $(READY)
	$(BIN)/python -m pytest $(wildcard tests/unit tests/contract tests/graph) $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# Writes benchmarks/RESULTS.md; ARGS=--quick for development, ARGS=--help for more.
bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

# The lock is up to date, the source archive builds, and the wheel made from it holds what it should.
package: $(READY)
	$(UV) lock --check
	$(UV) build --quiet
	$(BIN)/python -m pytest tests/packaging $(ARGS)

# Pages generated from code: settings, error codes, adapters.
docs: $(READY)
	$(BIN)/python -m gateway.reference docs

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
