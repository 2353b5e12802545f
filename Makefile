# Two commands do everything from a fresh clone: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo.run
INSTALLED := $(VENV)/.installed
BIN := $(VENV)/bin

# `make test` leaves out the few tests that `make test-long` runs.
.PHONY: demo test test-long test-slurm quick lint types format browser slurm docs release clean

demo: $(INSTALLED)
	@start=$$(date +%s); \
	$(BIN)/cellwise demo --out $(DEMO); code=$$?; \
	echo "installation $$(cat $(INSTALLED)) s · demo $$(( $$(date +%s) - start )) s"; \
	exit $$code

test: $(INSTALLED) browser
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

# What needs a real Slurm comes last: two of them at once on two cores hinder each other.
test-long: $(INSTALLED) browser
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow
	$(MAKE) test-slurm

# With a real Slurm, as root, one test after the other; about seven minutes. Its clocks are its own: what
# fails is tried a second time, and fails the command if it fails again.
SLURM_TESTS := tests/scale/test_slurm.py tests/scale/test_slurm_dask.py tests/scale/test_slurm_nodes.py
test-slurm: $(INSTALLED) slurm
	CELLWISE_SLURM=1 $(BIN)/python -m pytest $(SLURM_TESTS) || { echo "what failed, once more:"; \
	  CELLWISE_SLURM=1 $(BIN)/python -m pytest --last-failed $(SLURM_TESTS); }

quick: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 -m "not long and not slow and not browser"

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# uv resolves the pinned torch together with torchvision; no lock file is kept. It is told to trust the
# certificates of the system, as pip does: networks with a proxy of their own need that.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("cellwise needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	@echo "installing into $(VENV) (about 6 GB with the usual torch) ..."
	@start=$$(date +%s); set -e; \
	$(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"; \
	UV_SYSTEM_CERTS=true $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e ".[dev]"; \
	echo $$(( $$(date +%s) - start )) > $(INSTALLED)

# The browser tests say that they were skipped where this cannot install a browser.
browser:
	@if command -v chromium >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "installing chromium for the browser tests ..."; \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium) >/dev/null \
	    || echo "chromium could not be installed: the browser tests will be skipped"; \
	else echo "no chromium and no way to install it: the browser tests will be skipped"; fi

# The tests with a real Slurm start their own; they say that they were skipped where this cannot install one.
slurm:
	@if (command -v sbatch && command -v slurmctld && command -v slurmd && command -v munged) >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "installing slurm and munge for the tests of shards ..."; \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    slurmctld slurmd slurm-client munge) >/dev/null \
	    || echo "slurm could not be installed: its tests will be skipped"; \
	else echo "no slurm and no way to install it: its tests will be skipped"; fi

# Pages that are made from the code; a test says when they are out of date.
# The site, in site/index.html; a broken link or anchor is an error.
docs: $(INSTALLED)
	$(BIN)/cellwise parts --markdown > docs/parts.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open site/index.html"

# Wheel and source archive in dist/, looked into and tried in an environment of their own.
release: $(INSTALLED)
	$(BIN)/python .ci/release.py

clean:
	rm -rf $(VENV) $(DEMO) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
