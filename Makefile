# Every target sets up what it needs, in .venv and (what runs crews) .venv-crewai. Wanted on the machine: Python 3.11 or
# newer, pip, make and git.
PYTHON ?= python3
CREW_PYTHON ?= $(PYTHON)
JOBS ?= 3
ARGS ?=
NONE_IS_FINE = $(if $(ARGS),|| test $$? -eq 5)

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
UV := $(BIN)/uv pip install --quiet --python $(VENV)
MEMBERS := -e . -e adapters/langgraph -e adapters/loro
PROJECTS := pyproject.toml adapters/langgraph/pyproject.toml adapters/loro/pyproject.toml

# CrewAI needs an older pydantic and Python, and 800 MB: an environment of its own, for its tests and demo only.
CREW_VENV := .venv-crewai
CREW_BIN := $(CREW_VENV)/bin
CREW_STAMP := $(CREW_VENV)/.set-up
CREW_UV := $(BIN)/uv pip install --quiet --python $(CREW_VENV)
CREW_MEMBERS := -e . -e adapters/crewai
CREW_FITS := $(shell $(CREW_PYTHON) -c 'import sys; print("yes" if sys.version_info < (3, 14) else "")')
CREW_LEFT_OUT = echo "LEFT OUT: what needs CrewAI. It runs on Python 3.11 to 3.13: make $@ CREW_PYTHON=python3.13"
ifneq ($(CREW_FITS),)
CREW_SET_UP := $(CREW_STAMP)
endif
# The published clients of the Loro protocol, for the tests of live documents, and what the desk's editor is built of.
NPM := tests/live/npm
EDITOR := adapters/loro/editor
NPM_STAMP := $(NPM)/node_modules/.set-up
EDITOR_STAMP := $(EDITOR)/node_modules/.set-up
NPM_LEFT_OUT = echo "LEFT OUT: the tests with npm's clients of the Loro protocol. They need node and npm"
ifneq ($(shell command -v npm),)
NPM_SET_UP := $(NPM_STAMP) $(EDITOR_STAMP)
endif
PINS := grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' | grep -vE '^(pip|setuptools)=='

# No machine fails during the tests: where memory has room for their databases, no disk is waited for.
IN_MEMORY := $(shell test -w /dev/shm && test "$$(df -P /dev/shm | awk 'END { print $$4 }')" -gt 2000000 && echo TMPDIR=/dev/shm)

export UV_PYTHON_DOWNLOADS := never
# Where the environment asks for no bytecode files, each process that a test starts would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-crewai desk live editor screenshots test test-core test-crewai torture bench bench-quick lint format types check constraints clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## create or update .venv (the other targets do it for you)

$(STAMP): $(PROJECTS) constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Concordant needs Python 3.11 or newer: make PYTHON=...")'
	@echo "Setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(UV) -c constraints.txt -b constraints.txt $(MEMBERS) --group dev
	@touch $@

$(NPM_STAMP) $(EDITOR_STAMP): %/node_modules/.set-up: %/package.json
	@echo "Setting up $* ..."
	@npm install --prefix $* --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(CREW_STAMP): $(STAMP) pyproject.toml adapters/crewai/pyproject.toml constraints-crewai.txt
	@echo "Setting up $(CREW_VENV) ..."
	@test -x $(CREW_BIN)/python || $(CREW_PYTHON) -m venv --without-pip $(CREW_VENV)
	@$(CREW_UV) -c constraints-crewai.txt -b constraints-crewai.txt $(CREW_MEMBERS) --group crewai
	@touch $@

demo: $(STAMP) ## run the demonstration
	@$(BIN)/python examples/demo.py $(ARGS)

demo-crewai: $(CREW_SET_UP) ## run the demonstration with CrewAI
ifneq ($(CREW_FITS),)
	@$(CREW_BIN)/python examples/crewai_demo.py $(ARGS)
else
	@$(CREW_LEFT_OUT)
endif

desk: $(STAMP) ## run a team that disagrees, and open the desk on its questions in a browser
	@$(BIN)/python examples/desk.py $(ARGS)

live: $(STAMP) ## have two agents write in a document, and open the desk's editor on it in a browser
	@$(BIN)/python examples/live.py $(ARGS)

editor: $(EDITOR_STAMP) ## build what the desk's editor is made of anew, as concordant-loro ships it (needs node and npm)
	@npm run build --prefix $(EDITOR) --silent

screenshots: $(STAMP) ## take the pictures of the desk's documentation anew
	@CONCORDANT_SCREENSHOTS=1 $(BIN)/python -m pytest tests/desk/test_browser.py tests/desk/test_editor_browser.py -k 'screenshots or editor_can' -q

# CrewAI's tests, most of whose time is its import, are imported for once, in one process beside the others.
test: $(STAMP) $(CREW_SET_UP) ## run the tests (CONCORDANT_SEED=n repeats a run, ARGS="-k name" narrows it, JOBS=0 uses one process)
	@told=$$(mktemp); $(MAKE) --no-print-directory test-crewai JOBS=0 >$$told 2>&1 & crewai=$$!; trap "kill $$crewai" INT TERM; \
	$(MAKE) --no-print-directory test-core; core=$$?; wait $$crewai; crewai=$$?; cat $$told; rm $$told; test $$core$$crewai = 00

# Where ARGS leave no test of one environment (pytest's exit 5), the other's result counts. In a fresh clone all is
# compiled once, before each of the processes would do so.
test-core: $(STAMP) $(NPM_SET_UP) ## run the tests of all but CrewAI
ifeq ($(NPM_SET_UP),)
	@$(NPM_LEFT_OUT)
endif
	@test -d tests/__pycache__ || $(BIN)/python -m pytest tests --collect-only -q >/dev/null 2>&1 || true
	@$(IN_MEMORY) $(BIN)/python -m pytest tests -n $(JOBS) --dist loadgroup $(ARGS) $(NONE_IS_FINE)

test-crewai: $(CREW_SET_UP) ## run CrewAI's tests
ifneq ($(CREW_FITS),)
	@$(IN_MEMORY) $(CREW_BIN)/python -m pytest tests/crews tests/test_docs.py -n $(JOBS) $(ARGS) $(NONE_IS_FINE)
else
	@$(CREW_LEFT_OUT)
endif

torture: $(STAMP) $(CREW_SET_UP) $(NPM_SET_UP) ## run the long randomized tests
	@$(BIN)/python -m pytest tests -m torture --hypothesis-profile=torture -n $(JOBS) $(ARGS) $(NONE_IS_FINE)
ifneq ($(CREW_FITS),)
	@$(CREW_BIN)/python -m pytest tests/crews -m torture -n $(JOBS) $(ARGS) $(NONE_IS_FINE)
else
	@$(CREW_LEFT_OUT)
endif

bench: $(STAMP) $(CREW_SET_UP) ## run the benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(STAMP) ## see that the benchmarks work, in less than a minute
	@$(BIN)/python -m benchmarks --quick $(ARGS)

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/ruff check --output-format=concise .; rules=$$?; $(BIN)/ruff format --check . && exit $$rules

format: $(STAMP) ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(STAMP) $(CREW_SET_UP) ## mypy (strict) and pyright
	@$(BIN)/mypy; strict=$$?; $(BIN)/basedpyright && exit $$strict
ifneq ($(CREW_FITS),)
	@$(CREW_BIN)/mypy adapters/crewai/src; strict=$$?; $(BIN)/basedpyright -p adapters/crewai && exit $$strict
else
	@$(CREW_LEFT_OUT)
endif

check: lint types test ## lint, types and test

constraints: $(STAMP) $(CREW_SET_UP) ## move every pinned version to the newest that fits
	@$(UV) --upgrade uv $(MEMBERS) --group dev
	@$(BIN)/uv pip freeze --quiet --python $(VENV) --exclude-editable | $(PINS) > constraints.txt
	@touch $(STAMP)
ifneq ($(CREW_FITS),)
	@$(CREW_UV) --upgrade $(CREW_MEMBERS) --group crewai
	@$(BIN)/uv pip freeze --quiet --python $(CREW_VENV) --exclude-editable | $(PINS) > constraints-crewai.txt
	@touch $(CREW_STAMP)
else
	@$(CREW_LEFT_OUT)
endif

clean: ## remove the environments, caches and builds
	rm -rf $(VENV) $(CREW_VENV) $(NPM)/node_modules $(EDITOR)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
