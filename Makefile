# Two commands do it all on a fresh machine: `make demo` and `make test`. Both set up .venv first (Debian: needs python3-venv).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# ONNX Runtime for the GPU where there is one.
RUNTIME := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
# A data set for the demo: `signs` are drawn by the project; or a folder, as DATA=../shared/data/gtsrb. IMAGES, TEST_IMAGES
# and EPOCHS make it longer and surer, or shorter: see scripts/demo.sh.
DATA ?= signs

.PHONY: setup demo test test-slow check bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,papers,export,signing,mqtt,calibration,uvc,basler,genicam,screen,$(RUNTIME),dev]'
	touch $@

demo: setup
	scripts/demo.sh "$(DATA)"

test: setup
	$(BIN)/pytest -q -rs --durations=10 -n 2 --dist loadscope

test-slow: setup
	$(BIN)/pytest -q -rs --durations=10 -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf demo runs build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
