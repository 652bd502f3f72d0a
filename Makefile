# The two commands of the README: make demo, make test. Everything happens in .venv.
# make examples, make kernels and make proof run what takes longer; continuous integration runs the first two as well.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tests run on two workers, and each of them on one thread, so that they do not take each other's cores.
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: setup demo test examples kernels proof live benchmark docs clean
setup: $(VENV)/.installed
demo: $(VENV)/.installed
	$(BIN)/switchyard compare replications=3 out=outputs/demo

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST)

# What takes several seconds a test: the examples of README and docs, reports in a browser, sweeps in several processes, the course.
examples: $(VENV)/.tested
	$(PYTEST) -m lengthy

# The tests that a processor's kernels could break, under several of them.
kernels: $(VENV)/.tested
	$(BIN)/python -m tests.kernels

# What takes minutes: the proofs of theory, 20,000 random command lines, every verb with every option; figures of ours
# beside somebody else's, of which it writes docs/evidence/validity.md.
proof: $(VENV)/.tested
	PROOF=true $(PYTEST) tests/cli/test_faults.py tests/assignment tests/world/test_semantics.py
	$(PYTEST) -m "slow and not validity" -rs
	$(PYTEST) -m validity --junitxml=build/validity.xml
	$(BIN)/python -m tests.validity.page build/validity.xml
	$(BIN)/switchyard validate

# A policy behind litellm's Router. litellm needs older versions of what others need newer, so it has an environment of its own.
live: $(VENV)-live/.installed
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(VENV)-live/bin/python -m pytest -rs tests/live

benchmark: $(VENV)/.tested
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.world
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.batching
	$(BIN)/python -m benchmarks.calls
	$(BIN)/python -m benchmarks.tasks
	$(BIN)/python -m benchmarks.cache
	$(BIN)/python -m benchmarks.tables
	$(BIN)/python -m benchmarks.million
	$(BIN)/python -m benchmarks.policies 100000
	$(BIN)/python -m benchmarks.port_price
	$(BIN)/python -m benchmarks.optimum
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.plan
	$(BIN)/python -m benchmarks.steward 2 1

# The site, in build/site: it opens from the disk. A warning stops it, as does a link that leads nowhere.
docs: $(VENV)/.documented
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	$(BIN)/python docs/site/links.py build/site

clean:
	rm -rf $(VENV) $(VENV)-live outputs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)-live/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-live
	$(VENV)-live/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test,litellm]' litellm==1.110.2
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/.documented: $(VENV)/.installed constraints-docs.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --constraint constraints-docs.txt --editable '.[docs]'
	touch $@
