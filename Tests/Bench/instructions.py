#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions a call of the hot paths takes, beside those that were noted before.

    Tests/Bench/instructions.py --driver .build/release/HotPaths [--note]

Runs the driver under `valgrind --tool=callgrind`, prints old, new and their ratio for each path, and
with --note writes the new ones to Tests/Bench/instructions.txt, which a change that moves them
brings along. Instructions do not depend on what else the machine does: two runs differ by less than
REPEATABLE. What they do depend on is noted too (compiler, libraries, processor): where that is not
the same, the change is printed and judged by nobody.

Fails if a path takes more than BOUND times the noted instructions: a path that grew by a quarter has
got another step, and whoever meant that says so with --note.
"""

import argparse
import pathlib
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile

BOUND = 1.25
# Differences below this are none.
REPEATABLE = 0.01
# A run takes some 20 seconds on a quiet machine.
LIMIT = 600
# The one function that is counted, as HotPaths.swift names it.
COUNTED = "*countedLoop*"
# The same one: of two options with equal patterns, callgrind 3.19 heeds the first alone.
LEFT = "*ountedLoop*"
# What processors differ in and libraries choose their code by; valgrind shows no AVX-512.
FEATURES = ("avx2", "aes", "vaes", "sha_ni")
NOTED = pathlib.Path(__file__).with_name("instructions.txt")


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return "none"
    return ((done.stdout or done.stderr).strip().splitlines() or ["none"])[0]


def surroundings():
    """What counts depend on besides the source."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split("flags", 1)[-1]
    has = set(flags.split("\n", 1)[0].split())
    swift = re.search(r"Swift version \S+", first_line("swift", "--version"))
    return ", ".join([
        swift.group() if swift else "no Swift", "libc " + platform.libc_ver()[1],
        first_line("openssl", "version").rsplit("(", 1)[0].strip(),
        "sqlite " + first_line("sqlite3", "--version").split(" ")[0],
        first_line("valgrind", "--version"),
        platform.machine(), *(feature for feature in FEATURES if feature in has)])


class NotCounted(Exception):
    """Why callgrind gave no counts."""


def few_descriptors():
    """valgrind makes its own descriptors behind the limit, which some containers set too high."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))


def count(driver):
    """Instructions a call of each path; of a path's rounds the one with the fewest."""
    try:
        return counted(driver)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotCounted(str(error)) from error


def counted(driver):
    with tempfile.TemporaryDirectory(prefix="cairn-instructions-") as folder:
        place = pathlib.Path(folder)
        (place / "state").mkdir()
        # Debian's valgrind cannot read the debug information that Swift writes. Names it keeps.
        bare = place / "driver"
        subprocess.run(["strip", "--strip-debug", "-o", str(bare), str(driver)], check=True)
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no",
             f"--toggle-collect={COUNTED}", f"--dump-after={LEFT}",
             f"--callgrind-out-file={place}/out", str(bare), str(place / "state")],
            # Dictionaries are laid out the same way each time.
            env={"SWIFT_DETERMINISTIC_HASHING": "1", "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, timeout=LIMIT, check=False,
            preexec_fn=few_descriptors)
        if done.returncode != 0:
            sys.stderr.write(done.stdout + done.stderr)
            raise NotCounted("the driver failed under callgrind")
        counts = {}
        for number, line in enumerate(done.stdout.splitlines(), start=1):
            path, calls = line.split()
            part = (place / f"out.{number}").read_text(encoding="utf-8", errors="replace")
            totals = re.search(r"^(?:totals|summary): (\d+)", part, re.MULTILINE)
            if totals is None or int(totals.group(1)) == 0:
                raise NotCounted(f"nothing for {path}; is there a function {COUNTED} in {driver}?")
            value = int(totals.group(1)) / int(calls)
            counts[path] = min(value, counts.get(path, value))
        return counts


def noted(path):
    """What was counted before, and where."""
    if not path.exists():
        return {}, ""
    counts, where = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# on: "):
            where = line.removeprefix("# on: ")
        elif line and not line.startswith("#"):
            name, value = line.split()
            counts[name] = int(value)
    return counts, where


def note(path, counts, where):
    lines = [
        "# Instructions a call on the hot paths, by callgrind: Tests/Bench/instructions.py --note",
        "# A call is one lookup, one getattr, one entry of readdirplus, 4 KiB, one created file, one",
        "# chunk of 1 MiB (BLAKE3, brotli `fast`, encryption, address).",
        f"# on: {where}",
        *(f"{name:<14} {round(value):>10}" for name, value in counts.items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def spaced(value):
    return f"{round(value):,}".replace(",", " ")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", type=pathlib.Path, required=True, help="HotPaths, as release")
    parser.add_argument("--counts", type=pathlib.Path, default=NOTED)
    parser.add_argument("--note", action="store_true", help="write what was counted")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("instructions: SKIPPED: there is no valgrind (Debian: apt install valgrind)")
        return
    if not options.driver.is_file():
        sys.exit(f"instructions: there is no {options.driver}: "
                 "swift build -c release --product HotPaths")
    here = surroundings()
    before, there = noted(options.counts)
    try:
        counts = count(options.driver.resolve())
    except NotCounted as reason:
        # On another machine nothing would be judged: there a tool that fails is not our fault.
        print(f"instructions: not counted: {reason}")
        sys.exit(1 if options.note or here == there else 0)
    print(f"{'instructions a call':<20} {'noted':>12} {'now':>12}  ratio")
    grown = []
    for path, value in counts.items():
        old = before.get(path)
        ratio = value / old if old else None
        word = "new" if ratio is None else f"{ratio:.3f}"
        if ratio is not None and abs(ratio - 1) < REPEATABLE:
            word += " ="
        if ratio is not None and ratio > BOUND:
            grown.append(path)
            word += f"  more than {BOUND}"
        print(f"{path:<20} {spaced(old) if old else '':>12} {spaced(value):>12}  {word}")
    if gone := sorted(set(before) - set(counts)):
        print(f"instructions: noted and not counted any more: {', '.join(gone)}")
    if options.note:
        note(options.counts, counts, here)
        print(f"instructions: noted in {options.counts}")
    elif before and here != there:
        print(f"instructions: not judged, because the noted ones are of other surroundings\n"
              f"  noted: {there}\n  here:  {here}")
    elif grown:
        sys.exit(f"instructions: {', '.join(grown)} took more than {BOUND} of what is noted; if that "
                 "is meant, note it: Tests/Bench/instructions.py --note")


if __name__ == "__main__":
    main()
