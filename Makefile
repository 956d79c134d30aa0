# Two commands for a fresh machine: `make demo` and `make test`. Everything they need is installed on the way.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUTPUT ?= demo-output

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint docs clean bench bench-gpu bench-gpu-end parity conversion system-packages flink-parts flink-up flink-down airflow-check azurite

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## transcribe samples/ with the tiny checkpoint that ships with the project
	@$(BIN)/python examples/demo.py $(DEMO_OUTPUT)

# Three processes on two cores: the tests of faults wait for most of their time. They come early as long as modules keep
# the order of their names; by the number of tests, as pytest-xdist would sort them, the longest come last.
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider -n 3 --dist loadscope --no-loadscope-reorder

test: $(VENV)/.installed-test system-packages flink-parts lint  ## run every test
	@-! command -v npm > /dev/null || $(MAKE) --no-print-directory azurite  # without it, the tests of abfs:// are skipped
	@$(PYTEST) --hypothesis-profile repeatable --durations 15 tests

test-fast: $(VENV)/.installed-test  ## run the tests that take seconds (three minutes in all)
	@$(PYTEST) -q -m "not slow" tests

lint: $(VENV)/.installed-test .typing  ## ruff, mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@MYPYPATH=.typing $(BIN)/mypy -p funasr_beam

docs: $(VENV)/.installed  ## write the generated pages of docs/
	@$(BIN)/python -m docs.generate

parity: $(VENV)/.installed-test  ## compare with upstream's own implementation at full size (6 GB, an hour)
	@$(BIN)/python -m benchmarks.parity --work build/parity $(BENCHMARK_OPTIONS)

conversion: $(VENV)/.installed-test  ## convert and load full-size files (9 GB of disk)
	@$(BIN)/python -m benchmarks.conversion --work build/conversion $(BENCHMARK_OPTIONS)

bench: $(VENV)/.installed-test  ## measure speed on this machine's CPU: host path, decoding, recogniser, end to end (an hour)
	@$(BIN)/python -m benchmarks.suite host $(BENCHMARK_OPTIONS)

bench-gpu:  ## measure the recogniser on a GPU, in 10 minutes; PYTHON needs torch, torchaudio, transformers, pyarrow
	@$(PYTHON) -m benchmarks.suite gpu $(BENCHMARK_OPTIONS)

# Where PYTHON is given, it has what is needed, and nothing is installed: machines with a GPU may lack a network.
END_PYTHON := $(if $(filter file,$(origin PYTHON)),$(BIN)/python,$(PYTHON))

bench-gpu-end: $(if $(filter file,$(origin PYTHON)),$(VENV)/.installed)  ## measure the way from files to tables on a GPU
	@$(END_PYTHON) -m benchmarks.suite gpu-end $(BENCHMARK_OPTIONS)

flink-parts: $(VENV)/.installed  ## fetch Flink and Beam's job server for it (once, about 400 MB)
	@{ command -v java && command -v mvn; } > /dev/null || infra/install_debian_packages openjdk-17-jre-headless maven
	@$(BIN)/python infra/flink/fetch_parts.py

flink-up: flink-parts  ## start a Flink cluster on this machine and say how to use it
	@$(BIN)/python infra/flink/local_cluster.py up $(FLINK_OPTIONS)

flink-down:  ## stop the Flink cluster that flink-up started
	@$(BIN)/python infra/flink/local_cluster.py down

azurite:  ## fetch the emulator of Azure's storage that its tests need (npm, 190 MB)
	@test -x build/azurite/node_modules/.bin/azurite-blob || npm install --silent --no-fund --no-audit --prefix build/azurite azurite@3

airflow-check: $(VENV)/.installed-test  ## load the example DAG in Airflow itself (300 MB, a minute)
	@test -x .venv-airflow/bin/airflow || \
	  { $(PYTHON) -m venv .venv-airflow && .venv-airflow/bin/pip install --quiet "apache-airflow>=3.1,<4"; }
	@AIRFLOW_PYTHON=$(CURDIR)/.venv-airflow/bin/python $(BIN)/python -m pytest -q tests/infra/test_schedules.py

clean:  ## remove what the other commands made
	rm -rf $(VENV) .typing $(DEMO_OUTPUT) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.py constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test,train]"
	$(BIN)/python -m pip install --quiet --no-deps funasr==1.4.16
	@touch $@

# mypy cannot follow a default editable install; these links stand for it.
.typing:
	@mkdir -p .typing/funasr_beam && cd .typing/funasr_beam && ln -sfn ../../pipeline ../../model ../../transforms .

# The generator of synthetic speech speaks with espeak-ng; only its tests and `funasr-beam train` need it. The tests of
# the report look at it in Chromium.
system-packages:
	@command -v espeak-ng > /dev/null || infra/install_debian_packages espeak-ng
	@command -v chromium > /dev/null || infra/install_debian_packages chromium
