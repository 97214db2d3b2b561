# run      builds fastbox, then starts one program in a container and shows what it sees
# test     all tests; test-long: those too long for every run as well; test-vm: on another kernel
# check    format, lints, types, stubs, who may import whom
# bench    what a start costs, stage by stage and beside its peers; bench-smoke: a few rounds of it
# bench-compare BASE=ref|file: whether starts got slower since a commit, or a file of make bench
# setup    what the machine needs for all of this; clean: removes what was built here

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: run test test-long test-vm bench bench-smoke bench-compare check setup setup-run setup-vm clean

VENV := .venv
PYTHON := $(VENV)/bin/python
WHEEL := $(VENV)/.wheel
# maturin is found by name; the folder of rustup comes last, after a Rust of the user's own.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
SOURCES := $(shell find rust python scripts/build_backend -type f -not -name '*.pyc' \
    -not -path 'python/fastbox/bin/*' -not -path 'python/fastbox.data/*') Cargo.toml Cargo.lock pyproject.toml

run: $(WHEEL)
	$(PYTHON) -m fastbox.demo

setup:
	scripts/setup test

setup-run:
	scripts/setup run

setup-vm:
	scripts/setup vm

# The wheel as a user gets it, built and installed again only where a source changed.
$(WHEEL): $(SOURCES) | setup-run
	rm -rf dist
	$(PYTHON) -m pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w dist .
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --force-reinstall dist/*.whl
	touch $@

test: $(WHEEL) | setup
	FASTBOX_PROGRAMS=$(CURDIR)/python/fastbox/bin cargo test --release --locked --workspace
	$(PYTHON) -m pytest tests -m 'not long'

test-long: $(WHEEL) | setup-vm
	scripts/test-long $(PARTS)

test-vm: | setup-vm
	$(PYTHON) tests/vm/run.py

bench: $(WHEEL) | setup
	mkdir -p .benchmarks
	$(PYTHON) -m pytest benches -s --benchmark-json .benchmarks/stages.json
	$(PYTHON) benches/side_by_side.py --markdown .benchmarks/side_by_side.md
	$(PYTHON) benches/goals.py --markdown .benchmarks/spawn.md

bench-smoke: $(WHEEL) | setup
	FASTBOX_BENCH_ROUNDS=5 $(PYTHON) -m pytest benches -s
	$(PYTHON) benches/side_by_side.py --rounds 5
	$(PYTHON) benches/goals.py --rounds 5

bench-compare: $(WHEEL) | setup
	$(if $(BASE),,$(error bench-compare needs BASE: a commit, branch or tag, or a file that make bench wrote))
	$(PYTHON) benches/versions.py $(BASE)

check: $(WHEEL) | setup
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PYTHON) -m mypy.stubtest --concise fastbox._core
	$(PYTHON) -m pytest -q tests/test_arrows.py

clean:
	rm -rf $(VENV) target dist python/fastbox/bin python/fastbox.data .fuzz .mypy_cache .ruff_cache .pytest_cache .benchmarks
