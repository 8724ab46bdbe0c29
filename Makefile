# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint bench faults clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.studio
	@exec $(BIN)/python -m studio.demo $(ARGS)

# Many tests wait for processes of their own, so a few more workers than cores pay.
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults $(addprefix --state ,$(STATE))

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "需要 Python 3.11 或更高版本；请安装后重试，或用 make PYTHON=/path/to/python3.11 指定。"; \
	  echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "无法创建虚拟环境；Debian/Ubuntu 请先安装 python3-venv，并检查目录是否可写。"; \
	  echo "The virtual environment could not be made: on Debian/Ubuntu install python3-venv; check that the folder is writable."; \
	  rm -rf $(VENV); exit 1; }

$(VENV)/.studio: pyproject.toml | $(BIN)/python
	@echo "正在安装（首次约一到两分钟）… Installing (a minute or two, the first time) …"
	@$(PIP) --editable '.[studio]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "正在安装开发环境… Installing the development environment …"
	@$(PIP) --editable '.[studio,cluster,dev]'
	@touch $@ $(VENV)/.studio
