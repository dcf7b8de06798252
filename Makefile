PYTHON ?= python3

.PHONY: up bundle bench-gpu test check-all screenshots containers lint audit sbom lists docs clean

up: python ## install and start everything on this machine
	@$(PYTHON) -m app.up.install
	@exec .venv/bin/python -m app up

bundle: python ## write kyujang.tar, which installs everything on a machine without a network (ARGS="--output FILE")
	@$(PYTHON) -m app.up.install
	@$(PYTHON) -m app.up.install --engine
	@.venv/bin/python -m app.up.console
	@.venv/bin/python -m app.up.bundle $(ARGS)

bench-gpu: python ## measure what this machine's GPU serves, by model, context, users and adapters (ARGS=… for bench.gpu)
	@$(PYTHON) -m app.up.install
	@exec .venv/bin/python -m bench.gpu $(ARGS)

test: python ## install and run all tests (ARGS=… for pytest)
	@$(PYTHON) -m app.up.install --test
	@.venv/bin/python -m app.up.console || echo "The console is not built: its tests are skipped."
	@exec env PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check-all: lint ## the long form: linters, then all tests with 200 killed processes, a scan of 300 pages, ten backups in a storm, 32 tenants' adapters, a house style trained, one of a base model in four bits, 10,000 made-up requests, all texts for growth, all floods for fairness, the deaths of a Ray cluster, the faults behind all alerts, a version changed under load, the containers of the chart, all passages of the evaluation data, all hostile documents, all parts of the benchmarks, OpenAI's clients
	@$(MAKE) --no-print-directory test ARGS="--clients --office --poolers --four-bits --training whole --kills 200 --pages 300 --rounds 10 --adapters 32 --requests 10000 --growth whole --fairness --ray whole --alerts --rolling --chart --quality whole --attacks whole --benches whole --exported 500 --watch whole --milvus $(ARGS)"
	.venv/bin/python -m pytest tests/e2e/test_crash.py --storage objects --kills 50

screenshots: ## draw the pictures of the console in docs/ again, where Chromium and Noto's CJK fonts are installed
	@$(MAKE) --no-print-directory test ARGS="-n0 tests/console/test_screenshots.py --screenshots"

containers: python ## build the image, start docker-compose.yml as the guide says, without an engine, and check it
	@$(PYTHON) -m deploy.check

lint: python ## check the code with ruff and mypy
	@$(PYTHON) -m app.up.install --test
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

audit: python ## ask for known vulnerabilities of every pinned package
	@$(PYTHON) -m app.up.audit

sbom: python ## list what is installed here, as CycloneDX, in sbom/
	@$(PYTHON) -m app.up.sbom

lists: python ## resolve pyproject.toml into the lists with hashes in requirements/, ARGS="--upgrade-package NAME" raises one
	@$(PYTHON) -m app.up.install --test
	.venv/bin/python requirements/compile.py $(ARGS)

docs: python ## build the documentation into site/
	@$(PYTHON) -m app.up.install --test
	.venv/bin/python -m zensical build --strict --clean
	@echo "Open site/index.html."

clean: ## remove what was installed and cached in the clone; documents stay
	rm -rf site sbom .cache .venv .venv-audit .venv-engine .venv-console console/node_modules console/dist console/dist.new .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis *.egg-info
	find app ingest migrations tests deploy -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Kyujang needs Python 3.11 or newer, and '$(PYTHON)' is older or missing. Try: make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12"; exit 1; }
