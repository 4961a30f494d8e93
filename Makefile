# SPDX-License-Identifier: Apache-2.0
#
# make mount      build, make a volume if there is none, and mount it
# make unmount    bring everything to the store, and unmount
# make test       everything that is checked before a change is taken; TESTGROUPS=mount for a part
# make check      format, tidy rules and a build: the quick part of it
# make soak-crash kill the daemon and cut the power, ROUNDS and CUTS times
# make install    the command, its manual, mount(8)'s helper, units, completions
# make soak       the model's random operations for long, SEEDS=20, STEPS=10000, and volumes recovered
#                 from PREFIXES=1000 beginnings of its requests; then a directory of a million
#                 names, a file of 3 GiB, a daemon that stands still for a minute
# make fuzz       the parsers under libFuzzer: SECONDS_EACH=60 for each, PARSERS=page for one
# make tsan       the engine's tests under the thread sanitizer; make asan: the address sanitizer
# make bench-s3   the table on S3 in docs/performance.md, on a gateway of its own; make bench-restore
#                 how soon a volume of 200,000 files is there on another machine
# make bench      the table of docs/performance.md, on this machine; PEERS=gocryptfs,securefs,encfs
# make bench-scale   how cost grows from a thousand to a million files: SIZES=1000,10000
# make bench-flush   a flush beside the reference library, what it leaves to programs, and an edit:
#                    REFERENCE=python3.7 with the library
# make bench-share   Cairn beside a filesystem in C that only remembers
# make bench-status  git status after a remount, where it reads every file again and where none
# make instructions  what the hot paths take, beside what is noted; NOTE=--note notes it
# make conformance PJDFSTEST=DIR   the table of docs/conformance.md; DIR has pjdfstest, built

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

# A built checkout of https://github.com/pjd/pjdfstest, which is not part of the project either.
PJDFSTEST ?=

.PHONY: build mount unmount test check format lint tidy install uninstall bench bench-s3 bench-restore \
	bench-scale bench-share bench-flush bench-status instructions conformance clean \
	soak soak-crash fuzz fuzz-build fuzz-run fuzz-corpus tsan asan

build:
	@.ci/packages build
	$(SWIFT) build $(FLAGS) -c release --product cairn

mount: build
	@mount-helpers/first-mount "$(CAIRN)" "$(VOLUME)" "$(MOUNT)" "$(OPTIONS)"

unmount:
	@"$(CAIRN)" unmount "$(VOLUME)"

# The mount's tests run the release build, which is what people run. Tests/Runner/run has the groups,
# tells at the end what failed and what was not run, and runs suites that wait beside each other.
RUNTESTS = $(SWIFT) test $(FLAGS) --skip-build --disable-xctest
ALLGROUPS = unit engine mount crash
TESTGROUPS ?= $(ALLGROUPS)
test: lint
	@.ci/packages test
	$(SWIFT) build $(FLAGS) -c release --product cairn
	$(SWIFT) build $(FLAGS) --build-tests
	@[ "$(TESTGROUPS)" != "$(ALLGROUPS)" ] || $(MAKE) --no-print-directory instructions
	@.ci/packages s3 || echo "make: SKIPPED: no tests against a real S3 server" >&2
	CAIRN_BINARY="$(CAIRN)" Tests/Ceph/rgw run Tests/Runner/run $(TESTGROUPS)

# More kills and power losses than a check has time for. SEED= repeats a run that failed.
ROUNDS ?= 50
CUTS ?= 3000
SEED ?=
soak-crash: build
	@.ci/packages test
	$(SWIFT) build $(FLAGS) --build-tests
	CAIRN_BINARY="$(CAIRN)" CRASH_ROUNDS=$(ROUNDS) POWER_CUTS=$(CUTS) CRASH_SEED=$(SEED) \
		$(RUNTESTS) --no-parallel --filter KillTests --filter PowerLossTests

# Random operations, with seeds of their own, until all are done or one fails; and on a mount what
# takes longer than a check may: suites that know CAIRN_LONG.
SEEDS ?= 20
STEPS ?= 10000
# Of each seed's requests, so many beginnings are recovered from.
PREFIXES ?= 1000
soak: build
	@.ci/packages test
	$(SWIFT) build $(FLAGS) --build-tests
	CAIRN_SOAK=$(SEEDS) CAIRN_STEPS=$(STEPS) $(RUNTESTS) --filter EngineTests.ModelTests
	CAIRN_SOAK=$(SEEDS) CAIRN_PREFIXES=$(PREFIXES) $(RUNTESTS) --filter EngineTests.RequestLogTests
	CAIRN_LONG=1 CAIRN_BINARY="$(CAIRN)" $(RUNTESTS) --no-parallel \
		--filter PosixDirectoryTests --filter HungTests --filter RealProgramTests/largeFile

# Every target is compiled for libFuzzer, in a place of its own; Package.swift says how. The
# toolchain's own linker: Debian's gold breaks off at this program.
SECONDS_EACH ?= 60
FUZZ := .build_fuzz/release/Fuzz
CORPUS := Tests/FuzzTests/Corpus
PARSERS ?= $(shell $(FUZZ) -list)
# What an input may take: sizes it declares must not.
FUZZLIMITS = -rss_limit_mb=1024 -malloc_limit_mb=64 -max_len=16384 -timeout=10
fuzz-build:
	@.ci/packages build
	CAIRN_FUZZ=1 $(SWIFT) build $(FLAGS) -c release --product Fuzz --scratch-path .build_fuzz \
		-Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing -Xswiftc -use-ld=lld

# New inputs go to a folder beside the build; one that breaks something is left there, and named.
fuzz: fuzz-build
	@$(MAKE) --no-print-directory fuzz-run

fuzz-run:
	@set -e; for parser in $(PARSERS); do echo "== $$parser"; \
		mkdir -p .build_fuzz/found/$$parser; \
		SWIFT_BACKTRACE=enable=no CAIRN_PARSER=$$parser $(FUZZ) $(FUZZLIMITS) \
			-max_total_time=$(SECONDS_EACH) -print_final_stats=0 -verbosity=0 \
			-artifact_prefix=.build_fuzz/found/$$parser- \
			.build_fuzz/found/$$parser $(CORPUS)/$$parser; done

# Of all that was found, the fewest and smallest inputs that reach as much. At most CORPUSBYTES each.
CORPUSBYTES ?= 512
fuzz-corpus:
	@set -e; for parser in $(PARSERS); do mkdir -p $(CORPUS)/$$parser .build_fuzz/kept/$$parser; \
		SWIFT_BACKTRACE=enable=no CAIRN_PARSER=$$parser $(FUZZ) $(FUZZLIMITS) \
			-max_len=$(CORPUSBYTES) -merge=1 $(CORPUS)/$$parser .build_fuzz/found/$$parser \
			2>/dev/null; done

# A build for each sanitizer lies beside the others. It is optimised: in code that is not, each byte
# of many a copy asks Swift's runtime for the type it has, under a lock, and four threads that wait
# for that one take an hour for what takes minutes. Assertions are kept. Limits of time that tests
# hold something to are so many times longer. Backtraces would take the report's time. Deadlocks are
# not looked for: that part of the sanitizer gives up where a thread has more than 128 locks, and a
# commit locks all inodes that it writes.
SLOWNESS ?= 10
SANITIZED = SWIFT_BACKTRACE=enable=no CAIRN_STEPS=2000 CAIRN_SLOWNESS=$(SLOWNESS)
SANITIZEDBUILD = $(SWIFT) build $(FLAGS) -c release -Xswiftc -enable-testing \
	-Xswiftc -assert-config -Xswiftc Debug --build-tests
SANITIZEDRUN = Tests/Runner/run --logs .build_$@/logs \
	--bundle .build_$@/release/cairnPackageTests.xctest engine
tsan:
	@.ci/packages build
	$(SANITIZEDBUILD) --sanitize=thread --scratch-path .build_tsan
	TSAN_OPTIONS="halt_on_error=0 exitcode=66 history_size=7 detect_deadlocks=0" \
		$(SANITIZED) $(SANITIZEDRUN)

asan:
	@.ci/packages build
	$(SANITIZEDBUILD) --sanitize=address --scratch-path .build_asan
	ASAN_OPTIONS="detect_leaks=0" $(SANITIZED) $(SANITIZEDRUN)

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

# Instructions are counted, not timed, so that a busy machine may do it too.
NOTE ?=
instructions:
	@.ci/packages instructions || echo "make: SKIPPED: the count of instructions" >&2
	$(SWIFT) build $(FLAGS) -c release --product HotPaths
	Tests/Bench/instructions.py --driver .build/release/HotPaths $(NOTE)

PEERS ?= gocryptfs,securefs
bench: build
	@.ci/packages bench
	Tests/Bench/bench.py --cairn "$(CAIRN)" --driver "$(FSBENCH)" --peers $(PEERS) \
		--table docs/performance.md $(BENCHFLAGS)

# The million takes half an hour; RESULTS keeps what was measured, so that sizes can be run one by one.
SIZES ?= 1000,10000,100000,1000000
RESULTS ?= .build/scale.json
bench-scale: build
	Tests/Bench/scale.py --cairn "$(CAIRN)" --sizes $(SIZES) --results "$(RESULTS)" \
		--table docs/performance.md --plot docs/scale.svg $(BENCHFLAGS)

bench-share: build
	@.ci/packages bench-share
	Tests/Bench/share.py --cairn "$(CAIRN)" --table docs/performance.md $(BENCHFLAGS)

# A Python that has the reference library; without it the rates stand alone.
REFERENCE ?=
FLUSHES ?= .build/flush.json
bench-flush: build
	@.ci/packages bench-share
	Tests/Bench/flush.py --cairn "$(CAIRN)" $(if $(REFERENCE),--reference "$(REFERENCE)") \
		--results "$(FLUSHES)" --table docs/performance.md $(BENCHFLAGS)

bench-status: build
	@.ci/packages bench
	Tests/Bench/status.py --cairn "$(CAIRN)" --table docs/performance.md $(BENCHFLAGS)

bench-s3: build
	@.ci/packages bench-s3
	Tests/Ceph/rgw run Tests/Bench/s3.py --cairn "$(CAIRN)" --table docs/performance.md $(BENCHFLAGS)

bench-restore: build
	@.ci/packages bench-s3
	Tests/Ceph/rgw run Tests/Bench/restore.py --cairn "$(CAIRN)" --s3 --namespace $(BENCHFLAGS)

conformance:
	@[ -x "$(PJDFSTEST)/pjdfstest" ] || exec Tests/Conformance/conformance "$(CAIRN)" ""
	@$(MAKE) build
	@Tests/Conformance/conformance "$(CAIRN)" "$(PJDFSTEST)"

clean:
	$(SWIFT) package clean
