# Every target sets up what it needs in .venv. Wanted on the machine: Python 3.11 or newer, pip, make and git.
PYTHON ?= python3
JOBS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
UV := $(BIN)/uv pip install --quiet --python $(VENV)
MEMBERS := -e . -e adapters/langgraph -e adapters/crewai
PROJECTS := pyproject.toml adapters/langgraph/pyproject.toml adapters/crewai/pyproject.toml

export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup demo test torture bench lint format types check constraints clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## create or update .venv (the other targets do it for you)

$(STAMP): $(PROJECTS) constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Concordant needs Python 3.11 or newer: make PYTHON=...")'
	@echo "Setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(UV) -c constraints.txt -b constraints.txt $(MEMBERS) --group dev
	@touch $@

demo: $(STAMP) ## run the demonstration
	@$(BIN)/python examples/demo.py $(ARGS)

test: $(STAMP) ## run the tests (CONCORDANT_SEED=n repeats a run, ARGS="-k name" narrows it, JOBS=0 uses one process)
	@$(BIN)/python -m pytest tests -n $(JOBS) $(ARGS)

torture: $(STAMP) ## run the long randomized tests
	@$(BIN)/python -m pytest tests -m torture --hypothesis-profile=torture -n $(JOBS) $(ARGS)

bench: $(STAMP) ## run the benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/ruff check --output-format=concise .; rules=$$?; $(BIN)/ruff format --check . && exit $$rules

format: $(STAMP) ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(STAMP) ## mypy (strict) and pyright
	@$(BIN)/mypy; strict=$$?; $(BIN)/basedpyright && exit $$strict

check: lint types test ## lint, types and test

constraints: $(STAMP) ## move every pinned version to the newest that fits
	@$(UV) --upgrade uv $(MEMBERS) --group dev
	@$(BIN)/uv pip freeze --quiet --python $(VENV) --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' | grep -vE '^(pip|setuptools)==' > constraints.txt
	@touch $(STAMP)

clean: ## remove the environment, caches and builds
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
