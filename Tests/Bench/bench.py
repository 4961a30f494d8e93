#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Measures Cairn, gocryptfs, securefs and the plain disk in one run, and writes the table of
# docs/performance.md between its two markers.
#
# The driver (--driver) is a program that runs workloads in a directory and prints one JSON object
# per measurement: w (workload), m (metric), v (value), unit, ok. The filesystems take turns within
# each round, so that what the machine does besides falls on all of them; of the rounds, the median
# counts. A value that differs from what was written makes the run fail. So does, with --strict, a
# row that is below its target.
"""Measure Cairn beside gocryptfs, securefs and the plain disk."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import document
import ring
from peers import KNOWN, TITLES, USUAL, Passthrough, beside_each_other, chosen

# Units in which less is better.
TIMES = {"s", "ms", "us"}

# How many times faster than the better of gocryptfs and securefs each row is to be. A row that is
# not here has DEFAULT_TARGET: Cairn is to be the fastest of them on every workload.
TARGETS = {
    ("seq", "write"): 1.5, ("seq", "read_cold"): 1.5, ("seq", "read_warm"): 5,
    ("text", "write"): 1.5, ("text", "read_cold"): 1.5, ("text", "read_warm"): 5,
    ("rand", "read_cold"): 1.5, ("rand", "read_warm"): 10,
    ("rand", "overwrite"): 2, ("rand", "write_fsync"): 1,
    ("files", "create"): 4, ("files", "stat_cold"): 1.5, ("files", "stat_warm"): 1.2,
    ("files", "readdir_cold"): 1.5, ("files", "readdir_warm"): 1.5,
    ("files", "read_cold"): 2, ("files", "read_warm"): 1.5,
    ("files", "rename"): 1.5, ("files", "delete"): 1.2,
    ("rsync", "copy"): 2, ("untar", "extract"): 3,
    ("git", "clone"): 1.2, ("git", "status_cold"): 1.2, ("git", "status_warm"): 1.2,
    ("sqlite", "delete"): 1, ("sqlite", "wal"): 1,
    ("append", "open_append_close"): 1.5, ("mmap", "shared_write"): 1.5,
    ("editor", "save"): 1, ("parallel", "mixed4"): 1,
}
DEFAULT_TARGET = 1


def measure(system, options, log):
    """One system's turn: a dictionary of (workload, metric) to (value, unit)."""
    command = [sys.executable, str(options.driver), str(system.directory), "--label", system.name,
               "--scale", str(options.scale), "--limit", str(options.limit),
               "--stage", str(options.stage)]
    if system.remount:
        command += ["--remount", system.remount]
    if os.geteuid() == 0:
        command += ["--drop-caches"]
    if options.drain and hasattr(system, "drain"):
        command += ["--drain", system.drain]
    for name in ("only", "skip"):
        if getattr(options, name):
            command += [f"--{name}", getattr(options, name)]
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        for line in driver.stdout:
            log.write(line)
            log.flush()
            row = json.loads(line)
            key = (row["w"], row["m"])
            if row.get("ok") is False or row.get("v") is None:
                print(f"bench: {system.name} {key}: {row}", file=sys.stderr)
                # A peer that cannot do something has no number there; ours must be able to.
                if system.name == "cairn":
                    options.failed.append(key)
                continue
            found[key] = (row["v"], row["unit"])
    return found


def ratio(ours, theirs, unit):
    """How many times faster ours is."""
    if not ours or not theirs:
        return None
    return theirs / ours if unit in TIMES else ours / theirs


def digits(value):
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


class Table:
    """The medians of all rounds, each beside its target."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.columns = list(rounds)
        self.units = {}
        for found in rounds["cairn"]:
            for key, (_, unit) in found.items():
                self.units.setdefault(key, unit)
        self.rows = [self.row(key) for key in self.units]

    def median(self, system, key):
        values = [found[key][0] for found in self.rounds[system] if key in found]
        return statistics.median(values) if values else None

    def row(self, key):
        """The cells of one row, and the part of its target that is reached."""
        unit = self.units[key]
        values = {name: self.median(name, key) for name in self.columns}
        better = self.beside(values, "cairn", unit)
        target = TARGETS.get(key, DEFAULT_TARGET)
        below = better is not None and better < target
        # What one gets here through libfuse and the same caches who has no work of its own.
        most = self.beside(values, Passthrough.name, unit)
        beyond = " †" if most is not None and most < target else ""
        cells = [" ".join(key), unit, *(digits(values[name]) for name in self.columns),
                 digits(better) + (" **" if below else ""), digits(target) + beyond,
                 digits(ratio(values["cairn"], values["plain"], unit))]
        return cells, None if better is None else better / target, key

    @staticmethod
    def beside(values, name, unit):
        """How many times faster it is than the better of USUAL; None where one is not known."""
        ratios = [ratio(values[name], values[other], unit)
                  for other in USUAL if values.get(name) and values.get(other)]
        return min((one for one in ratios if one is not None), default=None)

    def text(self, options, memory):
        heads = ["workload", "unit", *(TITLES.get(name, name) for name in self.columns),
                 "× the better", "target", "× disk"]
        loads = sorted(options.loads)
        lines = [
            f"Measured on {datetime.date.today().isoformat()}, {os.cpu_count()} processors, "
            f"Linux {os.uname().release.split('-')[0]}, scale {options.scale}, medians of "
            f"{options.rounds} rounds in which all take turns; load of the machine before each "
            f"turn {loads[0]:.1f} to {loads[-1]:.1f}. Requests came to Cairn by "
            f"{'io_uring' if options.ring else 'the device'}.", "",
            f"| {' | '.join(heads)} |",
            "|---|---|" + "---:|" * (len(heads) - 2),
            *(f"| {' | '.join(cells)} |" for cells, _, _ in self.rows), "",
            f"“× the better” is how many times faster Cairn is than the better of "
            f"{' and '.join(name for name in USUAL if name in self.columns)} in that row. "
            "Two asterisks mark a row below its target."]
        if Passthrough.name in self.columns:
            lines.append(
                "† marks a target that libfuse's `passthrough_ll` does not reach either, over a "
                "directory in memory, with neither disk nor cipher and the kernel's caches as "
                "Cairn has them.")
        judged = [(reached, key) for _, reached, key in self.rows if reached is not None]
        if judged:
            lowest, key = min(judged)
            reached = sum(1 for one, _ in judged if one >= 1)
            lines.append(f"{reached} of {len(judged)} rows reach their target; furthest from it is "
                         f"{' '.join(key)}, at {digits(lowest)} of it.")
        if memory:
            lines.append(f"The daemon had at most {max(memory) / (1 << 20):.0f} MiB resident in the "
                         "whole run (VmHWM).")
        return "\n".join(lines)

    def missed(self):
        return [" ".join(key) for _, reached, key in self.rows
                if reached is not None and reached < 1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", type=pathlib.Path, required=True, help="the command")
    parser.add_argument("--driver", type=pathlib.Path, required=True, help="the workloads")
    parser.add_argument("--table", type=pathlib.Path, help="the document; else standard output")
    parser.add_argument("--peers", default=",".join(USUAL), help=f"of {', '.join(KNOWN)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--limit", type=int, default=60, help="seconds for one loop")
    parser.add_argument("--only", help="workloads, separated by commas")
    parser.add_argument("--skip", help="workloads, separated by commas")
    parser.add_argument("--drain", action="store_true", help="also time how long the store takes")
    parser.add_argument("--strict", action="store_true", help="fail if a row is below its target")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/var/tmp"),
                        help="on the disk to measure")
    parser.add_argument("--log", type=pathlib.Path, help="keep every measurement here")
    options = parser.parse_args()
    options.failed, options.loads = [], []
    options.cairn = options.cairn.resolve()
    if not options.driver.is_file():
        parser.error(f"there is no driver at {options.driver}; name one with FSBENCH=")
    if not os.access(options.cairn, os.X_OK):
        parser.error(f"there is no program {options.cairn}; build it with: make build")
    options.peers = chosen(options, parser)
    return options


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    makers = beside_each_other(options.cairn, options.peers)
    rounds, memory = {name: [] for name in makers}, []
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="cairn-bench-", dir=options.folder)))
        options.stage = folder / "stage"
        options.ring = stack.enter_context(ring.offered())
        log = stack.enter_context(open(options.log or os.devnull, "a", encoding="utf-8"))
        for number in range(options.rounds):
            place = folder / f"round{number}"
            place.mkdir()
            for name, make in makers.items():
                print(f"bench: round {number + 1} of {options.rounds}, {name}", file=sys.stderr)
                options.loads.append(os.getloadavg()[0])
                with make(place) as system:
                    rounds[name].append(measure(system, options, log))
                    memory += filter(None, [system.memory()])
            shutil.rmtree(place, ignore_errors=True)
    table = Table(rounds)
    document.write(options.table, "measured", table.text(options, memory))
    if options.failed:
        sys.exit(f"bench: {len(options.failed)} measurements failed; see above")
    if options.strict and (missed := table.missed()):
        sys.exit(f"bench: {len(missed)} rows are below their targets: {', '.join(missed)}")


if __name__ == "__main__":
    main()
