# Everything runs in .venv, which is made from Python 3.11 or newer (PYTHON=python3.12 to choose another).
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint bench clean

demo: .venv/core.done
	$(BIN)/mitobench phantom make demo --shape 100,512,512 --seed 1
	$(BIN)/mitobench evaluate demo/pred.h5 demo/gt.h5 --json demo/report.json --instances demo/instances.csv \
	  --html demo/report.html --image demo/im.h5

test: .venv/test.done lint
	$(BIN)/python -m pytest

lint: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test.done
	$(BIN)/python -m benchmarks.bench_pair --shape 200,2048,2048
	$(BIN)/python -m benchmarks.bench_pair --shape 100,2048,2048 --in-memory
	$(BIN)/python -m benchmarks.bench_intervals
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only

clean:
	rm -rf .venv demo

.venv/core.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[report]'
	touch $@

.venv/test.done: .venv/core.done
	$(PIP) --editable '.[test]'
	touch $@
