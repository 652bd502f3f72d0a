# The two commands of the README: make demo, make test. Everything happens in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test proof benchmark docs clean
setup: $(VENV)/.installed
demo: $(VENV)/.installed
	$(BIN)/switchyard compare replications=3 out=outputs/demo

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

proof: $(VENV)/.tested
	CI=true $(BIN)/pytest tests/test_faults.py
	$(BIN)/pytest -m slow -rs
	$(BIN)/switchyard validate

benchmark: $(VENV)/.tested
	$(BIN)/python -m benchmarks.world
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.batching
	$(BIN)/python -m benchmarks.tables
	$(BIN)/python -m benchmarks.million
	$(BIN)/python -m benchmarks.azure_day
	$(BIN)/python -m benchmarks.port_price
	$(BIN)/python -m benchmarks.optimum
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.plan
	$(BIN)/python -m benchmarks.steward 2 1
	$(BIN)/python -m benchmarks.sweep

docs: $(VENV)/.installed
	$(BIN)/python -m docs.make_api

clean:
	rm -rf $(VENV) outputs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@
