#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`git status` after a remount, when it reads every file again, and when it reads none.

    Tests/Bench/status.py --cairn .build/release/cairn

Git's index remembers when each file was changed, to the second. A file that was changed in the
second in which the index was written may have been changed once more after that, so git reads it
again. How many those are after a clone is chance, and it decides how long `git status` takes. Here
the times are set: the index is of the files' second, or of a later one.

Cairn, gocryptfs, securefs and the plain disk take turns; of the rounds, the median counts.
"""

import argparse
import contextlib
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import document
import ring
from peers import KNOWN, TITLES, USUAL, beside_each_other, call, chosen

# How many times faster than the better of USUAL, as in bench.py.
TARGET = 1.2
# The second in which all files were changed; long ago, so that no clock matters.
CHANGED = 1_700_000_000
CASES = {"all": ("every file", CHANGED), "none": ("no file", CHANGED + 10)}
# Nothing of the machine's own settings, a working tree of whoever's, and no look at inode numbers,
# which not every filesystem keeps over a remount: all of them read the same.
SETTINGS = {"safe.directory": "*", "core.checkStat": "minimal", "core.trustctime": "false"}
ENVIRONMENT = dict(
    os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", GIT_OPTIONAL_LOCKS="0",
    GIT_CONFIG_COUNT=str(len(SETTINGS)),
    **{f"GIT_CONFIG_{part}_{number}": text for number, pair in enumerate(SETTINGS.items())
       for part, text in zip(("KEY", "VALUE"), pair)})


def git(*arguments, **options):
    return call("git", *arguments, env=ENVIRONMENT, **options)


def repository(folder, options):
    """A bare repository whose files have sizes as those of programs: half below 5 KiB."""
    choice = random.Random(options.seed)
    work, bare = folder / "work", folder / "source.git"
    for number in range(options.files):
        path = work / f"d{number % 40}" / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(choice.randbytes(min(int(choice.lognormvariate(8.5, 1.4)), 1 << 20)))
    git("init", "-q", work)
    git("-C", work, "add", "-A")
    git("-C", work, "-c", "user.name=bench", "-c", "user.email=bench@localhost",
        "commit", "-q", "-m", "all")
    git("clone", "-q", "--bare", work, bare)
    shutil.rmtree(work)
    return bare


def clone(system, source):
    """Clones, with all files changed in one second and an index that knows it."""
    tree = system.directory / "git"
    git("clone", "-q", "--no-local", source, tree)
    for folder, folders, names in os.walk(tree):
        if ".git" in folders:
            folders.remove(".git")
        for name in names:
            os.utime(os.path.join(folder, name), (CHANGED, CHANGED))
    git("-C", tree, "update-index", "-q", "--refresh")
    if hasattr(system, "drain"):
        call("sh", "-c", system.drain, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return tree


def ask(system, tree, second):
    """Seconds of one `git status`, with nothing in the kernel's memory."""
    os.utime(tree / ".git" / "index", (second, second))
    if system.remount:
        call("sh", "-c", system.remount, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
    start = time.monotonic()
    done = git("-C", tree, "status", "--porcelain", capture_output=True, text=True)
    took = time.monotonic() - start
    if done.stdout:
        sys.exit(f"status: {system.name} has files that differ:\n{done.stdout[:300]}")
    return took


def table(got, options, by_ring):
    """The lines of the document, and whether a row misses its target."""
    names = list(got)
    lines = [f"| read again | {' | '.join(f'{TITLES.get(name, name)}, s' for name in names)} "
             "| × the better | target |", f"|---|{'---:|' * (len(names) + 2)}"]
    missed = False
    for case, (words, _) in CASES.items():
        medians = {name: statistics.median(got[name][case]) for name in names}
        beside = [medians[name] for name in USUAL if name in medians]
        ratio = min(beside) / medians["cairn"]
        missed |= ratio < TARGET
        mark = " **" if ratio < TARGET else ""
        cells = " | ".join(f"{medians[name]:.3f}" for name in names)
        lines.append(f"| {words} | {cells} | {ratio:.2f}{mark} | {TARGET} |")
    way = "io_uring" if by_ring else "the device"
    lines += ["", f"{options.files:,} files, medians of {options.rounds} rounds; "
              f"requests came to Cairn by {way}."]
    return "\n".join(lines), missed


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", required=True, type=os.path.abspath, help="the command")
    parser.add_argument("--peers", default=",".join(USUAL), help=f"of {', '.join(KNOWN)}")
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default="/var/tmp", help="on the disk to measure")
    parser.add_argument("--table", type=pathlib.Path, help="the document; else standard output")
    options = parser.parse_args()
    options.peers = chosen(options, parser)
    if os.geteuid() != 0:
        parser.error("only root can empty the kernel's memory")
    return options


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="cairn-status-", dir=options.folder)))
        by_ring = stack.enter_context(ring.offered())
        source = repository(folder, options)
        systems = {name: stack.enter_context(make(folder)) for name, make
                   in beside_each_other(options.cairn, options.peers).items()}
        trees = {name: clone(system, source) for name, system in systems.items()}
        got = {name: {case: [] for case in CASES} for name in systems}
        for _ in range(options.rounds):
            for case, (_, second) in CASES.items():
                for name, system in systems.items():
                    got[name][case].append(ask(system, trees[name], second))
        text, missed = table(got, options, by_ring)
    document.write(options.table, "status", text)
    if missed:
        sys.exit("status: a row is below its target")


if __name__ == "__main__":
    main()
