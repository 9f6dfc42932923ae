# tiercut: `make demo` shows what it does, `make test` checks it. Both set up what they need, in folders of their own.
# Written for GNU make 3.81 and later, which is what macOS has.

# The Python for new environments; empty: the first suitable one on the PATH.
PYTHON ?=
VENV ?= .venv
TEST_VENV ?= .venv-test
OLDEST_VENV ?= .venv-oldest
DOCS_VENV ?= .venv-docs
export PYTHON
# What Python compiles when it first imports a module is kept beside it, whatever the caller's habits: a start is three
# times as quick, and the environments are our own.
unexport PYTHONDONTWRITEBYTECODE

IN_VENV = $(VENV)/bin
IN_TEST_VENV = $(TEST_VENV)/bin
IN_OLDEST_VENV = $(OLDEST_VENV)/bin
IN_DOCS_VENV = $(DOCS_VENV)/bin
# What is tried with the oldest versions: every solver and measure, documents and commands, without training and timing,
# and without what takes longest and says least of versions.
OLDEST_TESTS = tests/ground --ignore tests/ground/test_compiled.py tests/topologies tests/optimizer/test_by_hand.py tests/conformance/test_every_solver.py \
	tests/cli/test_questions.py -k "not random and not among_equals and not bytes"
PROFILE = resnet20-digits32
# A recorded network that comes with its weights and some samples, so that plans of it can be run.
RUNS = digits-onnx
# In two processes; when one of them crashes, the tests end there: with another in its place, they may never end.
IN_TWO = -n 2 --dist loadgroup --max-worker-restart 0

.PHONY: help demo test lint types pytest test-oldest slow profile gallery docs clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo      solve a recorded network, plot its frontier in out/, and run a plan of another on this machine'
	@echo 'make test      lint, types and tests'
	@echo 'make lint      ruff: rules and layout'
	@echo 'make types     mypy, strict'
	@echo 'make test-oldest  the core tests, with the oldest versions that pyproject.toml admits (Python 3.11 or 3.12)'
	@echo 'make slow      the tests that take minutes'
	@echo 'make profile   train and time the recorded network again, on this machine'
	@echo 'make gallery   draw the pictures of docs/gallery.md again'
	@echo 'make docs      run the notebooks, build the documentation as a site in out/site, and check its links'
	@echo 'make clean     remove everything that make has made'
	@echo 'PYTHON=...     names the Python to use (3.11, 3.12 or 3.13)'

# Editable in both: the folders at the root are the package, so a pull or an edit counts at once, and compiled kernels stay
# beside their source for both environments. That the wheel works too is shown by tests/test_package.py.
# The stamps make an environment be brought up to date when what it is made from has changed.
$(VENV)/.ready: pyproject.toml constraints.txt tools/venv
	@tools/venv $(VENV) '.[offload]'
	@touch $@

$(TEST_VENV)/.ready: pyproject.toml constraints.txt tools/venv
	@tools/venv $(TEST_VENV) '.[dev]'
	@touch $@

$(OLDEST_VENV)/.ready: pyproject.toml constraints-oldest.txt tools/venv
	@CONSTRAINTS=constraints-oldest.txt tools/venv $(OLDEST_VENV) '.[test]'
	@touch $@

$(DOCS_VENV)/.docs-ready: pyproject.toml constraints.txt tools/venv
	@tools/venv $(DOCS_VENV) '.[docs]'
	@touch $@

demo: $(VENV)/.ready
	@mkdir -p out
	$(IN_VENV)/tiercut frontier mobile $(PROFILE) --plot out/frontier.png
	$(IN_VENV)/tiercut solve mobile $(PROFILE) --min-accuracy 0.9
	$(IN_VENV)/tiercut solve three-tiers $(RUNS) --use-all-tiers --min-accuracy 0.978 --json > out/plan.json
	$(IN_VENV)/tiercut run out/plan.json $(RUNS) --data $(RUNS) --local --retime --rate '16 fps'

test: lint types pytest

lint: $(TEST_VENV)/.ready
	$(IN_TEST_VENV)/ruff check .
	$(IN_TEST_VENV)/ruff format --check .

types: $(TEST_VENV)/.ready
	$(IN_TEST_VENV)/mypy

pytest: $(TEST_VENV)/.ready
	$(IN_TEST_VENV)/python -m pytest $(IN_TWO) --durations 10

test-oldest: $(OLDEST_VENV)/.ready
	NUMBA_CACHE_DIR=$(CURDIR)/$(OLDEST_VENV)/kernels $(IN_OLDEST_VENV)/python -m pytest $(IN_TWO) -p no:cacheprovider $(OLDEST_TESTS)

slow: $(TEST_VENV)/.ready
	$(IN_TEST_VENV)/python -m pytest -m slow --durations 10

profile: $(TEST_VENV)/.ready
	$(IN_TEST_VENV)/tiercut profile resnet20 --dataset digits32 --redo --output profiling/recorded

gallery: $(VENV)/.ready
	@tools/gallery $(IN_VENV)/tiercut

# Warnings are errors. The variable silences what the theme says of an mkdocs to come.
docs: $(DOCS_VENV)/.docs-ready
	NO_MKDOCS_2_WARNING=1 $(IN_DOCS_VENV)/mkdocs build --strict
	@echo 'open out/site/index.html'

clean:
	rm -rf .venv .venv-* $(VENV) $(TEST_VENV) $(OLDEST_VENV) $(DOCS_VENV) out build dist src/*.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
