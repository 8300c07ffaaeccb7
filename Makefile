# make setup   prepare .venv (minutes the first time, nothing to do when the requirements are unchanged)
# make test    style, types, documentation, tests
# make demo    fine-tune, convert, compare and read, into runs/demo
# make fonts   bring the fonts of data/bench, by Debian packages, without root
# make fuzz    damaged inputs on every reader, thousands of each kind: minutes; prints a table
# make chaos   commands killed at random moments, and on full disks, a hundred times each: an hour; prints tables
# make lock    write requirements-lock.txt from what is installed; WHEELS adds the hashes of wheels of other indexes
# make audit   look the locked packages up among known vulnerabilities, where these can be reached
# make sbom    write what is installed as a CycloneDX bill of materials, build/sbom.json
# make resolves    ask the package index whether each Python that the metadata name can install everything
# make reference   write down hashes, sizes and errors of the shipped weights, after they were changed on purpose
# make clean   remove what these made

PYTHON ?= python3
# Where pip may find torch's CPU build; without it Linux gets PyPI's, which works but brings gigabytes of CUDA. Asked
# only when it answers. To train on a GPU give another (https://download.pytorch.org/whl/cu130), or nothing for PyPI's.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
STAMP := $(VENV)/.quantvietocr-installed

.PHONY: setup test demo fonts fuzz chaos lock audit sbom resolves reference clean

setup: $(STAMP)

$(STAMP): pyproject.toml setup.py requirements-nodeps.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or \
	  sys.exit(f"Python 3.11 or newer is needed and $(PYTHON) is {v}: name another with make setup PYTHON=python3.11")'
	@$(PY) -m pip --version >/dev/null 2>&1 || { echo "Creating $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing requirements into $(VENV) ..."
	@index=""; \
	if [ -n "$(TORCH_INDEX)" ] && $(PY) -c 'from urllib.request import urlopen as u; u("$(TORCH_INDEX)/torch/", timeout=5)' \
	  >/dev/null 2>&1; then index="--extra-index-url $(TORCH_INDEX)"; fi; \
	$(PIP) install $$index --editable '.[all]' -r requirements-dev.txt
	@$(PIP) install --quiet --no-deps -r requirements-nodeps.txt
	@touch $@
	@echo "Done. Now: source $(VENV)/bin/activate"

test: setup
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@if [ -f mkdocs.yml ]; then $(PY) -m mkdocs build --quiet --strict --site-dir build/site; fi
	@$(PY) -m pytest -q -rs --durations=10 --durations-min=1 --numprocesses auto --maxprocesses 4 --dist loadfile

fonts: setup
	@$(PY) data/bench/fonts/install.py

demo: setup
	@$(PY) -m quantvietocr.cli.demo --out runs/demo

fuzz: setup
	@$(PY) tests/fuzz

chaos: setup
	@$(PY) tests/chaos

lock: setup
	@$(PY) .ci/lock.py $(WHEELS)

audit: setup
	@$(PY) .ci/audit.py

sbom: setup
	@mkdir -p build
	@$(PY) -m cyclonedx_py environment --output-reproducible --pyproject pyproject.toml --of JSON -o build/sbom.json
	@echo "build/sbom.json: $$(grep -c '"bom-ref"' build/sbom.json) components"

resolves: setup
	@$(PY) .ci/resolves.py

reference: setup
	@$(PY) tests/reference.py

clean:
	rm -rf $(VENV) runs/demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find quantvietocr tests data -name __pycache__ -type d -prune -exec rm -rf {} +
