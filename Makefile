PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

# Else each of the many processes of the tests compiles the sources again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

# The lock is the only list of versions: uv itself comes from it, by its hashes.
locked = sed -n '/^$(1)==/,/[^\\]$$/p' requirements.lock
# uv does not read pip's settings, so pass it a mirror that they name.
mirror = $$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)
UV     = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$(mirror)}}" $(BIN)/uv
# Install exactly one lock file, then this project with the lock's setuptools. Compile the packages
# here: where PYTHONDONTWRITEBYTECODE is set, every process would compile them again.
define install
$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes $(1)
$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements.lock --editable .
@touch $@
endef

$(BIN)/uv: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("make: Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(call locked,uv) > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.lock
	@touch $@

$(VENV)/.installed: $(BIN)/uv requirements.lock pyproject.toml
	$(call install,requirements.lock)

$(VENV)/.demo: $(BIN)/uv requirements-demo.lock pyproject.toml
	$(call install,requirements-demo.lock)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# The demo needs a third of what developers need; where they have all, it takes that.
DEMO := $(if $(wildcard $(VENV)/.installed),$(VENV)/.installed,$(VENV)/.demo)

.PHONY: demo
demo: $(DEMO) ## the whole story on embedded servers (ARGS="--json", "--keep", …)
	@$(BIN)/artifacts demo $(ARGS)

.PHONY: test
test: $(VENV)/.installed ## every test but those of `make brokers`, on real servers (ARGS="--cov" with coverage, …)
	$(BIN)/pytest --numprocesses 6 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder -m "not brokers" $(ARGS)

.PHONY: brokers
brokers: $(VENV)/.installed ## a storm on each other broker (Sentinel, RabbitMQ, PostgreSQL, SQS), a minute or two each
	$(BIN)/pytest -m brokers tests/faults $(ARGS)

.PHONY: test-fast
test-fast: $(VENV)/.installed ## the tests that start no process
	$(BIN)/pytest --numprocesses 2 --max-worker-restart 0 --dist worksteal -m "not processes" $(ARGS)

OTHER_PYTHONS := 3.12 3.13

.PHONY: test-pythons
test-pythons: $(VENV)/.installed ## the fast tests on the other Pythons that are supported, where they are installed
	@PATH="$$(echo $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin | tr ' ' ':'):$$PATH"; \
	for version in $(OTHER_PYTHONS); do \
	  python=$$($(BIN)/uv python find --no-python-downloads --no-project --system $$version 2>/dev/null) \
	    || { echo "Python $$version: not installed here, not tested"; continue; }; \
	  echo "Python $$version: $$python"; \
	  $(MAKE) --no-print-directory test-fast VENV=$(VENV)/$$version PYTHON=$$python || exit 1; \
	done

.PHONY: dev
dev: $(DEMO) ## the whole pipeline on embedded servers until Ctrl-C (ARGS="--data DIR", …)
	@$(BIN)/artifacts dev $(ARGS)

.PHONY: chromium
chromium: ## Debian's Chromium, with which the tests look at Flower's and our own pages (as root)
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit; \
	  apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium chromium-driver

.PHONY: compiler
compiler: ## Debian's C compiler, with which the tests skew the clocks of processes (as root)
	@command -v cc >/dev/null && exit; \
	  apt-get update -qq && apt-get install -qq --yes --no-install-recommends gcc libc6-dev

.PHONY: servers
servers: ## Debian's PgBouncer, Redis and Sentinel, with which the tests build deployments (as root)
	@command -v pgbouncer >/dev/null && command -v redis-server >/dev/null && command -v redis-sentinel >/dev/null && exit; \
	  apt-get update -qq && apt-get install -qq --yes --no-install-recommends pgbouncer redis-server redis-sentinel

.PHONY: rabbitmq
rabbitmq: ## Debian's RabbitMQ and its Erlang, 17 s, with which the tests try that broker (as root)
	@command -v rabbitmq-server >/dev/null && exit; \
	  apt-get update -qq && apt-get install -qq --yes --no-install-recommends rabbitmq-server

.PHONY: promtool
promtool: ## Debian's promtool, with which the tests try the alert rules (as root)
	@command -v promtool >/dev/null && exit; \
	  directory=$$(mktemp -d) && chmod 755 "$$directory" && cd "$$directory" && apt-get update -qq && apt-get download -qq prometheus \
	    && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xC / ./usr/bin/promtool && rm -r "$$directory"

.PHONY: pictures
pictures: $(VENV)/.installed ## screenshots of all pages in build/pictures; those of the documentation are replaced
	mkdir -p build/pictures
	ARTIFACTS_PICTURES=$(CURDIR)/build/pictures $(BIN)/pytest tests/flower tests/webpages/test_in_browser.py
	cd docs/images && for picture in *.png; do cp ../../build/pictures/$$picture .; done

.PHONY: docs
docs: $(VENV)/.installed ## the documentation site, in build/docs
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going docs build/docs

.PHONY: check
check: docs ## lint, format, types, direction of imports, spelling, links, the specification in small (40 s)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy docs/reference_pages.py
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m spec --bounded

.PHONY: spec
spec: $(VENV)/.installed ## 21 models of the protocol, 2.9 million states in 6 minutes of one core, 0.7 GB
	$(BIN)/python -m spec

.PHONY: bench
bench: $(VENV)/.installed ## ours beside others, to report.json and docs/performance.md (ARGS="small large" for some)
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.installed ## the counts and three ratios, within three minutes
	$(BIN)/python -m benchmarks --quick $(ARGS)

.PHONY: bench-against
bench-against: $(VENV)/.installed ## these sources beside those of a commit: REV=v0.1.0 (ARGS="small --rounds 3")
	@test -n "$(REV)" || { echo "make: name a commit: make bench-against REV=v0.1.0" >&2; exit 2; }
	$(BIN)/python -m benchmarks.against $(REV) $(ARGS)

.PHONY: faults
faults: $(VENV)/.installed ## thousands of transfers under random faults (ARGS="--seed 2", …), and the audit
	$(BIN)/python -m tests.faults $(ARGS)

.PHONY: figures
figures: $(VENV)/.installed ## what a kill, a FLUSHALL and a broker's absence cost, measured
	$(BIN)/python -m tests.faults.figures

.PHONY: faults-report
faults-report: $(VENV)/.installed ## storms, takeovers and hosts, to faults.json and docs/reliability.md (20 minutes)
	$(BIN)/python -m tests.faults.report $(ARGS)

.PHONY: install
install: $(VENV)/.installed ## only make .venv

COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --no-header --no-strip-extras
# Pin kombu beside kombu[redis]: an older pip takes them for two packages and would find a newer one.
PIN_WITHOUT_EXTRA := awk '/^[^ ]/ { printf "%s", bare; bare = ""; extra = /^[^ ]*\[/ } { print } \
  extra { sub(/\[[^]]*\]/, ""); bare = bare $$0 "\n" } END { printf "%s", bare }'
define resolve
$(BIN)/uv $(COMPILE) $(2) --output-file $(1) pyproject.toml
$(PIN_WITHOUT_EXTRA) $(1) > $(1).new
mv $(1).new $(1)
endef

.PHONY: lock
lock: $(VENV)/.installed ## resolve the lock files again, with hashes (ARGS=--upgrade for newer versions)
	$(call resolve,requirements.lock,--all-extras $(ARGS))
	$(call resolve,requirements-runtime.lock,--extra monitoring --extra metrics --extra tracing --extra web --extra crc32c --extra pgmq --extra sqs --constraint requirements.lock)
	$(call resolve,requirements-demo.lock,--extra embedded --constraint requirements.lock)

.PHONY: clean
clean: ## remove what make and the tests made
	rm -rf $(VENV) build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
