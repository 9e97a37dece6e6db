# Everything here sets itself up on a machine that has Python 3.11 and make.
#   make demo    a small language model learns without labels, against the real service
#   make test    the checks and the whole suite of tests
#   make check   ruff, pyright, import-linter
#   make bench   rollouts per second next to a no-op endpoint
#   make e2e     OpenRLHF's own client, and kills, against the service

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test check bench e2e e2e-openrlhf-client clean

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@scripts/make-venv "$(PYTHON)" "$(VENV)"

$(VENV)/.local: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.local

$(VENV)/.openrlhf: $(VENV)/.dev
	$(PIP) install --no-deps openrlhf==0.11.2
	@touch $@

demo: $(VENV)/.local
	$(BIN)/co-rewarding demo

test: check $(VENV)/.openrlhf
	$(PYTEST)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.throughput

e2e: $(VENV)/.openrlhf
	$(PYTEST) tests/e2e

e2e-openrlhf-client: $(VENV)/.openrlhf
	$(PYTEST) tests/e2e -m openrlhf

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
