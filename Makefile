# `make report` and `make test` need nothing but python3 (>= 3.11, with venv) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help report test check docs notebooks long clean

help:
	@echo "make report   pool the bundled evidence and write report/report.html with its figures"
	@echo "make test     run the tests"
	@echo "make check    lint, types, import rules, docs"
	@echo "make docs     build the documentation into docs/_build/html"
	@echo "make long     run the proofs that take minutes"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "metaleptic needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# One stamp a set of packages: a change of pyproject.toml installs again.
$(VENV)/.run: $(BIN)/python pyproject.toml
	@echo "installing metaleptic (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	@echo "installing metaleptic and what its tests need (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: $(BIN)/python pyproject.toml
	@echo "installing the development tools ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.run

report: $(VENV)/.run
	@$(BIN)/metaleptic report data/intrathecal_trastuzumab --out report/report.html

test: $(VENV)/.test
	$(BIN)/python -m pytest -q -m "not long"

long: $(VENV)/.test
	$(BIN)/python -m pytest -q -m long

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) docs

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

notebooks: $(VENV)/.dev
	$(BIN)/python notebooks/execute.py

clean:
	rm -rf $(VENV) .venv-* report docs/_build build dist
