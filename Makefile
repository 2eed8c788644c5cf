# Every target sets up what it needs; nothing but make, git and Python 3.11 to 3.13 has to be there.
VENV ?= .venv
RUN := $(VENV)/bin/python -m

# make install: where to, beneath which root (for packages and tests), and what makes the environment.
PREFIX ?= /opt/heygemd
DESTDIR ?=
SETUP ?= .ci/setup

.PHONY: help demo test crash-test check lock manual clean install uninstall system-test fuzz
help:
	@echo 'make demo    set up, then lip-sync a small job from inbox to outbox'
	@echo 'make test    set up, then run the tests'
	@echo 'make crash-test   kill the spool everywhere, twice, and cut its power; takes an hour'
	@echo 'make check   set up, then lint, types and the rules of the house'
	@echo 'make lock    write the versions of this environment to .ci/lock.txt'
	@echo 'make manual  write the man page and the completions from the help texts'
	@echo 'make clean   remove the environment and what the demo wrote'
	@echo 'make install    as root: the service under $(PREFIX), see docs/install.md'
	@echo 'make uninstall  as root: remove it; settings, jobs and shares stay'
	@echo 'make fuzz    send 2000 damaged media files through the decoders (FILES=, SEED=)'
	@echo 'make system-test  as root: the service in a container with a systemd of its own'

demo: $(VENV)/.ready
	$(RUN) heygemd demo --out demo-out

test: $(VENV)/.ready
	$(RUN) pytest -n auto --maxprocesses 4 --dist loadfile

crash-test: $(VENV)/.ready
	HEYGEMD_CRASH_TEST=full $(RUN) pytest -q tests/test_spool_crash.py tests/test_spool_faults.py \
		tests/test_spool_machine.py tests/test_spool_retention.py

check: $(VENV)/.ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) pytest -q tests/test_architecture.py

lock: $(VENV)/.ready
	.ci/lock $(VENV)

manual: $(VENV)/.ready
	.ci/manual '$(abspath $(VENV))/bin/python'

clean:
	rm -rf $(VENV) demo-out

install:
	SETUP='$(SETUP)' systemd/install '$(PREFIX)' '$(DESTDIR)'

uninstall:
	systemd/uninstall '$(PREFIX)' '$(DESTDIR)'

FILES ?= 2000
SEED ?= 1
fuzz: $(VENV)/.ready
	$(VENV)/bin/python tests/fuzz_media.py --files $(FILES) --seed $(SEED)

system-test: $(VENV)/.ready
	HEYGEMD_SYSTEM_TEST=1 $(RUN) pytest -v tests/system --timeout=3600 -p no:cacheprovider

$(VENV)/.ready: pyproject.toml .ci/setup .ci/lock.txt
	.ci/setup $(VENV)
	touch $@
