# `make run` and `make test` set up all they need on a machine with Python 3.11 or newer.
# Set up once, they need no network and lose no time: pip runs again only after
# requirements.txt (or, for the developer's tools, pyproject.toml) has changed.

PYTHON        ?=
VENV          := .venv
VENV_PYTHON   := $(VENV)/bin/python
# A stamp is written last, so a broken-off installation starts again.
INSTALLED     := $(VENV)/installed
DEV_INSTALLED := $(VENV)/dev-installed
PIP_INSTALL   := $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test check lint coverage dev clean

help:  ## show this list
	@echo "NeuralScope: watch a network of plain NumPy learn. make ..."
	@sed -n 's/^\([a-z]*\):.*  ## /  \1\t/p' $(firstword $(MAKEFILE_LIST))
	@echo "ARGS=... is handed on (make test ARGS='-k engine'); PYTHON=... picks another Python."

run: $(INSTALLED)  ## open the dashboard in the browser
	@$(VENV_PYTHON) -m neuralscope dashboard $(ARGS)

test: $(INSTALLED)  ## run the tests, on all cores
	@$(VENV_PYTHON) -m pytest -n auto $(ARGS)

check: lint test  ## check format, style and types, then run the tests

lint: $(DEV_INSTALLED)  ## check format, style and types
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m mypy

coverage: $(DEV_INSTALLED)  ## run the tests and demand 100 % of the engine, 90 % of the rest
	@$(VENV_PYTHON) -m coverage erase
	@$(VENV_PYTHON) -m coverage run -m pytest $(ARGS)
	@$(VENV_PYTHON) -m coverage combine --quiet
	@$(VENV_PYTHON) -m coverage report --include='neuralscope/engine/*' --fail-under=100
	@$(VENV_PYTHON) -m coverage report --omit='neuralscope/engine/*' --fail-under=90

dev: $(DEV_INSTALLED)  ## install the developer's tools

clean:  ## remove what was installed and cached; runs and weights stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.* build neuralscope.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip comes in the next step, so that a broken-off ensurepip cannot leave a half-made environment.
$(VENV_PYTHON):
	@set -- $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11 python); \
	for python do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	    "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	        version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	        echo "Python $$version cannot make virtual environments; on Debian or Ubuntu: sudo apt install python$$version-venv" >&2; \
	        exit 1; }; \
	    exec "$$python" -m venv --clear --without-pip $(VENV); \
	done; \
	echo "NeuralScope needs Python 3.11 or newer, but found none among: $$*. Name one with PYTHON=/path/to/python3." >&2; \
	exit 1

$(INSTALLED): requirements.txt $(VENV_PYTHON)
	@echo "Installing what NeuralScope needs into $(VENV) (only once, about a minute) ..."
	@$(VENV_PYTHON) -m pip --version >/dev/null 2>&1 || $(VENV_PYTHON) -m ensurepip >/dev/null
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

# Read from pyproject.toml rather than installed as an extra, which would build a package first.
$(DEV_INSTALLED): pyproject.toml $(INSTALLED)
	@echo "Installing the developer's tools into $(VENV) ..."
	@$(VENV_PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["dev"], sep="\n")' > $(VENV)/dev-requirements.txt
	@$(PIP_INSTALL) -r requirements.txt -r $(VENV)/dev-requirements.txt
	@touch $@
