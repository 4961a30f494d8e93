#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cairn's own share of a request: beside a filesystem in C on the same libfuse that only remembers.

    Tests/Bench/share.py --cairn .build/release/cairn [--profile]

Builds memfs.c and ask.c, mounts memfs and a new volume, and asks both in turns, past the kernel's
caches: reads of 1 MiB, random reads of 4 KiB, attributes, new files. Cairn's blocks are in its
cache, sealed; each read opens and verifies them. What counts is the median of many short rounds.

Besides the rate it takes how much processor time the two processes used for a call, and how often
their threads went to sleep, which say the same on a machine that has other things to do. --profile shows what Cairn spends it on, in each
row where it reaches less than 70 %; it needs perf.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import document
from peers import ByDevice, call

HERE = pathlib.Path(__file__).parent
ROWS = {"large": "reads of 1 MiB", "random": "random reads of 4 KiB", "getattr": "getattr",
        "create": "create and close"}
THREADS = (1, 4)
# Below this part of memfs a row is explained.
EXPLAINED = 0.7
TICK = os.sysconf("SC_CLK_TCK")
# One call of a program; a hang is a failure.
LIMIT = 120
# Symbols of a profile that are shown.
SYMBOLS = 14


def build(folder, name, *flags):
    program = folder / name
    call("gcc", "-O2", "-Wall", "-Wextra", "-Werror", HERE / f"{name}.c", "-o", program, *flags)
    return program


@contextlib.contextmanager
def memfs(program, mount_point):
    """Its process, as long as it is mounted."""
    mount_point.mkdir()
    process = subprocess.Popen([program, "-f", mount_point])
    try:
        for _ in range(100):
            if os.path.ismount(mount_point):
                break
            time.sleep(0.05)
        else:
            sys.exit("share: memfs did not mount")
        yield process
    finally:
        subprocess.run(["fusermount3", "-u", "-z", mount_point], check=False)
        process.terminate()
        process.wait(LIMIT)


def processor(pid):
    """Seconds of processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def sleeps(pid):
    """How often the threads of a process gave up their processor to wait."""
    count = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        # A thread may end meanwhile.
        with contextlib.suppress(OSError):
            for line in (task / "status").read_text(encoding="ascii").splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    count += int(line.split()[1])
    return count


class Side:
    """One of the two: where it is asked, and what is noted of it."""

    def __init__(self, name, pid, directory):
        self.name, self.pid, self.directory = name, pid, directory
        self.rates, self.costs = {}, {}

    def ask(self, program, what, threads, milliseconds):
        before, slept = processor(self.pid), sleeps(self.pid)
        done = call(program, what, self.directory, threads, milliseconds, text=True,
                    stdout=subprocess.PIPE, timeout=LIMIT)
        if what == "prepare":
            return
        rate = float(done.stdout)
        self.rates.setdefault((what, threads), []).append(rate)
        # Of what was asked; ticks are coarse, so rounds are added up.
        cost = self.costs.setdefault((what, threads), [0.0, 0.0, 0])
        cost[0] += processor(self.pid) - before
        cost[1] += rate * milliseconds / 1000
        cost[2] += max(0, sleeps(self.pid) - slept)

    def rate(self, key):
        return statistics.median(self.rates[key])

    def microseconds(self, key):
        seconds, calls, _ = self.costs[key]
        return seconds / calls * 1e6

    def sleeps(self, key):
        _, calls, slept = self.costs[key]
        return slept / calls


def profile(side, ask, what, threads):
    """What the process does while it is asked, as perf sees it: lines of a table."""
    with tempfile.TemporaryDirectory(prefix="cairn-share-") as folder:
        data = f"{folder}/perf.data"
        asking = subprocess.Popen([ask, what, side.directory, str(threads), "4000"],
                                  stdout=subprocess.DEVNULL)
        try:
            call("perf", "record", "-q", "-F", "999", "-p", side.pid, "-o", data, "--", "sleep", 3,
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            asking.wait(LIMIT)
        report = call("perf", "report", "-i", data, "--no-children", "--sort", "dso,symbol",
                      "--stdio", "-q", "--percent-limit", "0.5", stdout=subprocess.PIPE,
                      stderr=subprocess.DEVNULL, text=True).stdout
    print(f"share: {side.name}, {ROWS[what]}, {threads} threads: where the time goes")
    lines = [line.rstrip(" -")[:120] for line in report.splitlines() if line.strip()]
    print("\n".join(lines[:SYMBOLS]), flush=True)


def table(ours, least, options):
    lines = [
        f"Medians of {options.rounds} rounds of {options.milliseconds} ms, in turns; load of the "
        f"machine {options.load:.0f} at the begin, {os.getloadavg()[0]:.0f} at the end.", "",
        "| | threads | Cairn, a second | memfs, a second | share | Cairn, µs of processor a call "
        "| memfs, µs | share of it | Cairn's sleeps a call | memfs's |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for key in ours.rates:
        what, threads = key
        mine, other = ours.microseconds(key), least.microseconds(key)
        lines.append(
            f"| {ROWS[what]} | {threads} | {ours.rate(key):,.0f} | {least.rate(key):,.0f} "
            f"| {ours.rate(key) / least.rate(key):.2f} | {mine:.1f} | {other:.1f} "
            f"| {other / mine:.2f} | {ours.sleeps(key):.2f} | {least.sleeps(key):.2f} |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", type=pathlib.Path, required=True, help="the command")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--milliseconds", type=int, default=500, help="of one round")
    parser.add_argument("--profile", action="store_true", help="perf, for rows below 70 %%")
    parser.add_argument("--table", type=pathlib.Path, help="the document; else standard output")
    parser.add_argument("--folder", default="/var/tmp", help="on the disk to measure")
    options = parser.parse_args()
    options.cairn = options.cairn.resolve()
    options.load = os.getloadavg()[0]
    wanted = ["gcc", "pkg-config"] + (["perf"] if options.profile else [])
    if missing := [program for program in wanted if not shutil.which(program)]:
        parser.error(f"not installed: {', '.join(missing)}")
    return options


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="cairn-share-", dir=options.folder)))
        flags = call("pkg-config", "--cflags", "--libs", "fuse3", text=True,
                     stdout=subprocess.PIPE).stdout.split()
        ask = build(folder, "ask", "-pthread")
        process = stack.enter_context(memfs(build(folder, "memfs", *flags), folder / "memfs-mount"))
        # The other one knows no io_uring.
        volume = stack.enter_context(ByDevice(folder, options.cairn))
        daemon = json.loads(volume.run("status", "bench", "--json", stdout=subprocess.PIPE).stdout)
        ours = Side("Cairn", daemon["pid"], volume.directory)
        least = Side("memfs", process.pid, folder / "memfs-mount")
        for side in (ours, least):
            side.ask(ask, "prepare", 1, 0)
        # What was just written is brought to the store first, so that no round meets it.
        volume.run("sync", "bench", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for what in ROWS:
            for threads in THREADS:
                for _ in range(options.rounds):
                    for side in (ours, least):
                        side.ask(ask, what, threads, options.milliseconds)
                key = (what, threads)
                if options.profile and ours.rate(key) < EXPLAINED * least.rate(key):
                    profile(ours, ask, what, threads)
        document.write(options.table, "share", table(ours, least, options))


if __name__ == "__main__":
    main()
