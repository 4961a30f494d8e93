# SPDX-License-Identifier: Apache-2.0
#
# make mount      build, make a volume if there is none, and mount it
# make unmount    bring everything to the store, and unmount
# make test       everything that is checked before a change is taken
# make check      format, tidy rules and a build: the quick part of it
# make install    the command, its manual, mount(8)'s helper, units, completions
# make bench      the table of docs/performance.md, on this machine

SWIFT ?= swift
# An import that the manifest does not name is an error: the layers hold.
FLAGS ?= --explicit-target-dependency-import-check error
CAIRN := $(CURDIR)/.build/release/cairn

# What `make mount` mounts, and where.
VOLUME ?= home
MOUNT ?= $(HOME)/cairn
OPTIONS ?=

PREFIX ?= /usr/local
DESTDIR ?=
# mount(8) looks for its helpers nowhere else.
HELPERDIR ?= /sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user

# The benchmark's driver, which is not part of the project.
FSBENCH ?= $(firstword $(wildcard ../*/bench/fsbench.py) fsbench.py)
BENCHFLAGS ?=

.PHONY: build mount unmount test check format lint tidy install uninstall bench clean

build:
	@.ci/packages build
	$(SWIFT) build $(FLAGS) -c release --product cairn

mount: build
	@mount-helpers/first-mount "$(CAIRN)" "$(VOLUME)" "$(MOUNT)" "$(OPTIONS)"

unmount:
	@"$(CAIRN)" unmount "$(VOLUME)"

# The mount's tests run the release build, which is what people run. They, and the engine's, wait for
# disks and programs: alone, so that they neither starve the others nor are starved.
RUNTESTS = $(SWIFT) test $(FLAGS) --skip-build --disable-xctest
test: lint
	@.ci/packages test
	$(SWIFT) build $(FLAGS) -c release --product cairn
	$(SWIFT) build $(FLAGS) --build-tests
	@.ci/packages s3 || echo "make: SKIPPED: no tests against a real S3 server" >&2
	Tests/Ceph/rgw run $(RUNTESTS) --skip EngineTests --skip MountTests
	$(RUNTESTS) --filter EngineTests
	CAIRN_BINARY="$(CAIRN)" Tests/Ceph/rgw run $(RUNTESTS) --no-parallel --filter MountTests

check: lint tidy
	$(SWIFT) build $(FLAGS) --build-tests

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

tidy:
	@.ci/packages build
	$(SWIFT) test $(FLAGS) --disable-xctest --filter TidyTests

# The manual comes first: its plugin builds too, and would leave a binary that needs the toolchain.
install:
	@.ci/packages build
	$(SWIFT) package generate-manual
	$(SWIFT) build $(FLAGS) -c release --product cairn --static-swift-stdlib
	install -D -m 644 .build/plugins/GenerateManual/outputs/cairn/cairn.1 \
		"$(DESTDIR)$(PREFIX)/share/man/man1/cairn.1"
	install -D -m 755 "$(CAIRN)" "$(DESTDIR)$(PREFIX)/bin/cairn"
	install -D -m 755 mount-helpers/mount.cairn "$(DESTDIR)$(HELPERDIR)/mount.cairn"
	sed -i 's|^installed=.*|installed="$(PREFIX)/bin/cairn"|' "$(DESTDIR)$(HELPERDIR)/mount.cairn"
	ln -sf mount.cairn "$(DESTDIR)$(HELPERDIR)/mount.fuse.cairn"
	install -D -m 644 mount-helpers/cairn@.service "$(DESTDIR)$(USERUNITDIR)/cairn@.service"
	install -D -m 644 mount-helpers/cairn-system@.service \
		"$(DESTDIR)$(UNITDIR)/cairn-system@.service"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" \
		"$(DESTDIR)$(PREFIX)/share/zsh/site-functions" \
		"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d"
	"$(CAIRN)" --generate-completion-script bash \
		> "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/cairn"
	"$(CAIRN)" --generate-completion-script zsh \
		> "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_cairn"
	"$(CAIRN)" --generate-completion-script fish \
		> "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/cairn.fish"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/cairn" "$(DESTDIR)$(PREFIX)/share/man/man1/cairn.1" \
		"$(DESTDIR)$(HELPERDIR)/mount.cairn" \
		"$(DESTDIR)$(HELPERDIR)/mount.fuse.cairn" \
		"$(DESTDIR)$(USERUNITDIR)/cairn@.service" \
		"$(DESTDIR)$(UNITDIR)/cairn-system@.service" \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/cairn" \
		"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_cairn" \
		"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/cairn.fish"

bench: build
	@.ci/packages bench
	Tests/Bench/bench.py --cairn "$(CAIRN)" --driver "$(FSBENCH)" \
		--table docs/performance.md $(BENCHFLAGS)

clean:
	$(SWIFT) package clean
