#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Measures Cairn, gocryptfs and the plain disk in one run, and writes the table of
# docs/performance.md between its two markers.
#
# The driver (--driver) is a program that runs workloads in a directory and prints one JSON object
# per measurement: w (workload), m (metric), v (value), unit, ok. The three filesystems take turns
# within each round, so that what the machine does besides falls on all of them; of the rounds, the
# median counts. A value that differs from what was written makes the run fail.
"""Measure Cairn beside gocryptfs and the plain disk."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
# Units in which less is better.
TIMES = {"s", "ms", "us"}


def call(*command, **options):
    """Runs a program; its failure ends the benchmark."""
    return subprocess.run([str(part) for part in command], check=True, **options)


class Plain:
    """The disk the others rest on."""

    name = "plain"

    def __init__(self, folder):
        self.mount_point = folder / "plain"
        self.remount = None

    def __enter__(self):
        self.mount_point.mkdir()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.mount_point, ignore_errors=True)

    def memory(self):
        return None


class Gocryptfs:
    """The peer: encrypted, local, by FUSE."""

    name = "gocryptfs"

    def __init__(self, folder):
        self.cipher = folder / "cipher"
        self.mount_point = folder / "gocryptfs"
        self.password = folder / "password"
        mount = f"gocryptfs -q -passfile {self.password} {self.cipher} {self.mount_point}"
        self.remount = f"fusermount3 -u {self.mount_point} && {mount}"
        self.mount = mount

    def __enter__(self):
        self.cipher.mkdir()
        self.mount_point.mkdir()
        self.password.write_text("bench\n")
        call("gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", self.password, self.cipher)
        call("sh", "-c", self.mount)
        return self

    def __exit__(self, *_):
        subprocess.run(["fusermount3", "-u", "-z", str(self.mount_point)], check=False)

    def memory(self):
        return None


class Cairn:
    """A new volume on a folder store on the same disk."""

    name = "cairn"

    def __init__(self, folder, binary):
        self.binary = binary
        self.folder = folder
        self.mount_point = folder / "mnt"
        self.state = folder / "state"
        self.base = [str(binary)]
        self.environment = dict(os.environ, CAIRN_STATE=str(self.state))
        cairn = f"CAIRN_STATE={self.state} {binary}"
        self.drain = f"{cairn} sync bench"
        # `cairn unmount` waits for the store: what is read cold after it comes from there or from
        # the local cache, as after any mount. The peak of each daemon is noted before it ends.
        self.peaks = folder / "peaks"
        note = f"{cairn} status bench --json >> {self.peaks}"
        mount = f"{cairn} mount bench {self.mount_point}"
        self.remount = f"{note}; {cairn} unmount {self.mount_point} && {mount}"

    def run(self, *arguments, **options):
        return call(self.binary, *arguments, env=self.environment, **options)

    def __enter__(self):
        self.mount_point.mkdir()
        self.peaks.touch()
        self.run("init", "bench", "--store", self.folder / "store",
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.run("mount", "bench", self.mount_point)
        return self

    def __exit__(self, *_):
        subprocess.run([str(self.binary), "unmount", "bench", "--now"], env=self.environment,
                       check=False, stderr=subprocess.DEVNULL)

    @property
    def directory(self):
        return self.mount_point / "files"

    def memory(self):
        """The most memory any of the daemons had, in bytes."""
        with open(self.peaks, "a", encoding="utf-8") as peaks:
            self.run("status", "bench", "--json", stdout=peaks)
        lines = self.peaks.read_text(encoding="utf-8").splitlines()
        values = [int(line.split(":")[1].strip(" ,")) for line in lines if "peakMemory" in line]
        return max(values, default=None)


def measure(system, options, log):
    """One system's turn: a dictionary of (workload, metric) to (value, unit)."""
    directory = getattr(system, "directory", system.mount_point)
    command = [sys.executable, str(options.driver), str(directory), "--label", system.name,
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
                options.failed.append((system.name, key))
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


def table(rounds, memory, options):
    """The text between the markers."""
    keys, units = [], {}
    for found in rounds["cairn"]:
        for key, (_, unit) in found.items():
            if key not in units:
                keys.append(key)
                units[key] = unit

    def median(system, key):
        values = [found[key][0] for found in rounds[system] if key in found]
        return statistics.median(values) if values else None

    rows, slowest = [], None
    for key in keys:
        ours, peer, disk = (median(name, key) for name in ("cairn", "gocryptfs", "plain"))
        to_peer, to_disk = ratio(ours, peer, units[key]), ratio(ours, disk, units[key])
        if to_peer is not None and (slowest is None or to_peer < slowest[0]):
            slowest = (to_peer, key)
        mark = " **" if to_peer is not None and to_peer < 0.5 else ""
        rows.append(f"| {key[0]} {key[1]} | {units[key]} | {digits(ours)} | {digits(peer)} "
                    f"| {digits(disk)} | {digits(to_peer)}{mark} | {digits(to_disk)} |")
    cpus = os.cpu_count()
    when = datetime.date.today().isoformat()
    lines = [
        f"Measured on {when}, {cpus} processors, Linux {os.uname().release.split('-')[0]}, scale "
        f"{options.scale}, medians of {options.rounds} rounds in which the three take turns.",
        "",
        "| workload | unit | Cairn | gocryptfs | disk | × gocryptfs | × disk |",
        "|---|---|---:|---:|---:|---:|---:|",
        *rows,
        "",
        "A ratio above 1 is faster than the other; two asterisks mark less than half of gocryptfs.",
    ]
    if slowest:
        lines.append(f"The lowest is {digits(slowest[0])}, for {' '.join(slowest[1])}.")
    if memory:
        peak = max(memory) / (1 << 20)
        lines.append(f"The daemon had at most {peak:.0f} MiB resident in the whole run (VmHWM).")
    return "\n".join(lines)


def write(path, text):
    """Puts the text between the markers of a document, which is made if it is not there."""
    document = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    if BEGIN not in document or END not in document:
        sys.exit(f"bench: {path} has not the markers {BEGIN} and {END}")
    head, rest = document.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", type=pathlib.Path, required=True, help="the command")
    parser.add_argument("--driver", type=pathlib.Path, required=True, help="the workloads")
    parser.add_argument("--table", type=pathlib.Path, help="the document; else standard output")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--limit", type=int, default=60, help="seconds for one loop")
    parser.add_argument("--only", help="workloads, separated by commas")
    parser.add_argument("--skip", help="workloads, separated by commas")
    parser.add_argument("--drain", action="store_true", help="also time how long the store takes")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/var/tmp"),
                        help="on the disk to measure")
    parser.add_argument("--log", type=pathlib.Path, help="keep every measurement here")
    options = parser.parse_args()
    options.failed = []
    options.cairn = options.cairn.resolve()
    if not options.driver.is_file():
        sys.exit(f"bench: there is no driver at {options.driver}; name one with FSBENCH=")
    return options


def main():
    options = arguments()
    rounds = {"cairn": [], "gocryptfs": [], "plain": []}
    memory = []
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="cairn-bench-", dir=options.folder)))
        options.stage = folder / "stage"
        log = stack.enter_context(open(options.log or os.devnull, "a", encoding="utf-8"))
        for number in range(options.rounds):
            for make in (lambda at: Cairn(at, options.cairn), Gocryptfs, Plain):
                place = folder / f"round{number}"
                place.mkdir(exist_ok=True)
                with make(place) as system:
                    print(f"bench: round {number + 1} of {options.rounds}, {system.name}",
                          file=sys.stderr)
                    rounds[system.name].append(measure(system, options, log))
                    memory += filter(None, [system.memory()])
            shutil.rmtree(place, ignore_errors=True)
    text = table(rounds, memory, options)
    if options.table:
        write(options.table, text)
    print(text)
    if options.failed:
        sys.exit(f"bench: {len(options.failed)} measurements failed; see above")


if __name__ == "__main__":
    main()
