# Every target sets up what it needs in .venv, an environment of this checkout's own.
#   make demo    see codexd at work with the real Codex and a scripted model; no account needed
#   make test    all tests, with coverage
#   make check   format, lint, types
#   make walk    the core's long random walk (STEPS='1000000 --seed N'; without a seed another one each time)
#   make conformance          the comparison with bare Codex (tests/conformance), and what was seen of all
#   make conformance-latest   the same for the newest Codex that npm has
#   make soak    what takes too long for every day: 10,000 simulated worlds around the whole daemon; and with the real
#                Codex, codexd killed a hundred times and 10 minutes of clients (tests/soak; MINUTES=1 for fewer)
#   make bench   codexd beside bare Codex
# PYTHON=… chooses the Python that .venv is made with, WORKERS=… how many processes share the tests: half of them wait at
# any time, so that four are well on two cores.

.POSIX:
.PHONY: setup demo test check walk soak bench conformance conformance-latest clean

STEPS = 1000000
MINUTES = 10
WORKERS = 4
SETUP = PYTHON='$(PYTHON)' scripts/setup.sh
RUN = .venv/bin/python -m
SOURCES = codexd codexctl tests bench

setup:
	@$(SETUP) codex,test
	@scripts/setup_npm.sh

demo:
	@$(SETUP) codex
	@$(RUN) codexd.demo

test: setup
	@$(RUN) coverage erase
	$(RUN) coverage run -m pytest -q -n $(WORKERS) --dist worksteal
	@$(RUN) coverage combine --quiet
	@$(RUN) coverage report

check: setup
	$(RUN) ruff format --check $(SOURCES)
	$(RUN) ruff check $(SOURCES)
	$(RUN) mypy $(SOURCES)

walk: setup
	$(RUN) tests.walk $(STEPS)

soak: setup
	$(RUN) tests.simulation --seeds 0 10000
	$(RUN) tests.soak --kills 100 --minutes $(MINUTES)

bench: setup
	$(RUN) bench

conformance: setup
	$(RUN) pytest tests/conformance

conformance-latest: setup
	scripts/with_newest_codex.sh $(RUN) pytest tests/conformance

clean:
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
