# `make install` builds .venv from requirements.lock; every other target does so when it must.
# Another interpreter: make install PYTHON=python3.12. pip is quiet unless it fails.

PYTHON ?= python3
VENV ?= .venv
QUICKSTART := --cfg configs/quickstart.yaml

IN_VENV := $(VENV)/bin/python
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
PIP := $(IN_VENV) -m pip --quiet --disable-pip-version-check install

version = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
unsupported = $(PYTHON) is $(if $(version),Python $(version),no Python that runs here); \
needed is 3.11, 3.12 or 3.13, as in: make install PYTHON=python3.12

.PHONY: install test test-all lint docs demo lock clean

install: $(INSTALLED)

$(LOCKED): requirements.lock
	$(if $(filter 3.11 3.12 3.13,$(version)),,$(error $(unsupported)))
	@echo "installing the packages of requirements.lock into $(VENV); this takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --only-binary :all: -r requirements.lock
	touch $@

# setuptools is in the lock: without isolation nothing unlocked is downloaded to build.
$(INSTALLED): $(LOCKED) pyproject.toml setup.py
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# What the README names; `make test MARKS=slow` runs the slow ones alone.
test: MARKS ?= not slow
test: $(INSTALLED)
	$(IN_VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "$(MARKS)"

test-all:
	$(MAKE) --no-print-directory test MARKS=

lint: $(INSTALLED)
	$(IN_VENV) -m ruff check --no-cache
	$(IN_VENV) -m ruff format --check
	$(IN_VENV) -m mypy
	$(VENV)/bin/lint-imports

# Builds the site of docs/ into site/; `python -m http.server --directory site` shows it.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(IN_VENV) -m mkdocs build --strict --quiet

# Draws faces, trains on them, measures, exports and detects; needs no download.
demo: $(INSTALLED)
	$(IN_VENV) train.py $(QUICKSTART)
	$(IN_VENV) eval.py $(QUICKSTART)
	$(IN_VENV) export.py $(QUICKSTART) --out models/retinaface
	$(IN_VENV) -m retinaface_tf.detect data/drawn/val/images $(QUICKSTART) --out detections
	$(IN_VENV) -m retinaface_tf.detect --sample --out photographs
	@printf '%s\n' "$$DEMO_DONE"

define DEMO_DONE

Done. What lies where:
  data/drawn         faces that this project drew, to train on and to measure with
  runs/quickstart    the run that trained on them: weights, and AP in eval/eval.json
  models/retinaface  its export, for TensorFlow Serving
  detections         the drawn faces that it found: pictures, detections.jsonl and .csv
  photographs        two photographs, by the weights that come with this package

The weights that were trained here know drawn faces only: in photographs they see faces where there
are none. For photographs, take those of the package (research only: see LICENSE-WEIGHTS):
  $(VENV)/bin/retinaface detect YOUR_PHOTO.jpg
To train them on faces of your own: docs/own-faces.md; on WIDER FACE: docs/widerface.md.
endef
export DEMO_DONE

# Keeps the versions of an existing lock; remove it first to move to the newest ones.
lock: $(INSTALLED)
	$(VENV)/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --output-file requirements.lock

# Leaves what was trained: data, runs, models, detections.
clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf build site *.egg-info
	find retinaface_tf $(wildcard tests benchmarks) -name __pycache__ -prune -exec rm -rf {} +
