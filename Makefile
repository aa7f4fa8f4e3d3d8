# make setup   create .venv with everything in it        make lint    ruff and mypy
# make demo    simulate a movie and run all of it        make bench   speed and accuracy, as a table
# make test    run the tests                             make app     start the desktop app
# make bench-peers    ours beside other trackers and segmenters, each installed apart: gigabytes, and an hour or two

PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install
STAMP := .venv/.set-up

.PHONY: setup demo test lint bench bench-peers app
.DEFAULT_GOAL := setup

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/system-packages.sh tools/build-btrack.sh
	@PYTHON="$(PYTHON)" bash tools/system-packages.sh
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "installing into .venv: some minutes, some gigabytes"
	$(PIP) --quiet -c constraints.txt torch
	$(PIP) --quiet --use-pep517 -c constraints.txt -e '.[gui,learn,distributed,trackers,vendor,dev]'
	@bash tools/build-btrack.sh $(BIN)/python
	@touch $@

demo: setup
	$(BIN)/lineage demo

test: setup
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

bench-peers: setup
	$(BIN)/python -m benchmarks.peers

app: setup
	$(BIN)/lineage app
