# Set-up and the three commands. Everything else is in `labkit --help`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
# Python keeps what it has compiled: commands, kernels and tests start faster by it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup student demo test lab docs

help:
	@echo "make demo    set up, then run the course once from end to end"
	@echo "make test    set up, then pass the tests"
	@echo "make lab     set up what a student needs, then open JupyterLab on your copy of the labs"
	@echo "make docs    set up, then build the site in build/site/"
	@echo "make setup   set up only; PYTHON=python3.12 chooses another Python"
	@echo "make student set up only what a student needs"

setup: $(VENV)/.ready
student: $(VENV)/.student

define install
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else \
	  "This needs Python 3.10 to 3.13; %s is %d.%d. Type: make setup PYTHON=python3.12" % (sys.executable, *v))'
	@echo "Setting up in $(VENV)/ (a few minutes, about $(2) GB)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r $(1)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
endef

$(VENV)/.ready: requirements.lock pyproject.toml
	$(call install,requirements.lock,2.7)
	@touch $(VENV)/.student $@
	@echo "Ready. Type: source $(VENV)/bin/activate"

# The developers' environment holds all of it, at the same versions.
$(VENV)/.student: requirements-student.lock pyproject.toml
	$(call install,requirements-student.lock,2.2)
	@touch $@
	@echo "Ready. Type: source $(VENV)/bin/activate"

demo: setup
	labkit demo

test: setup
	python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lab: student
	labkit lab

docs: setup
	python docs/site/build.py
