#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a flush takes, and what it leaves to others.

    Tests/Bench/flush.py --cairn .build/release/cairn --reference reference/bin/python

    rate    a file that lies in the cache becomes chunks in a folder store, on two processors, with
            compression `fast`: beside the reference library's encryption in memory, in turns
    polite  what programs get of a mount while a large file is flushed, beside what they get else
    edit    4 KiB written into a file of 4 GiB: new chunks, and the time until they are published

Each is held against the limits below; one that is missed makes the run fail. The reference is the
package `self-encryption` 0.30.266 for Python 3.7 (docs/performance.md says how to have it); without
it the rates stand alone. --table writes a document's part between its markers; --results keeps the
numbers, and takes up those of earlier runs, so that parts can be run one by one.
"""

import argparse
import json
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
from encryption import texts
from peers import Cairn, call

HERE = pathlib.Path(__file__).parent
MEBIBYTE = 1 << 20
# How many times the reference's rate a flush has.
WANTED = {"random": 5, "text": 4}
# What a program keeps of its speed while a flush runs.
KEPT = 0.8
# A chunk of the file, not of its map or of a directory: those are far smaller.
DATA_CHUNK = MEBIBYTE
CHUNK = 4_190_208
EDIT_CHUNKS, EDIT_SECONDS = 3, 2
EDIT = 4096
# What is asked meanwhile: name in ask.c, words, threads, of whom.
ASKED = (("list", "`ls -l` of 2,000 files", 1, "mount"),
         ("list", "the same of a directory on the disk, without Cairn", 1, "disk"),
         ("small", "small files: open, read 4 KiB, close", 1, "mount"),
         ("random", "reads of 4 KiB", 1, "mount"), ("getattr", "getattr", 1, "mount"),
         ("random", "reads of 4 KiB", 4, "mount"))
WINDOW_MS = 300
SMALL_FILES = 1000
# One call of a program; a hang is a failure.
LIMIT = 600

now = time.perf_counter


def processors(count):
    """For a child: the first so many of those that this program may use."""
    mine = sorted(os.sched_getaffinity(0))[:count]
    return lambda: os.sched_setaffinity(0, mine)


class Volume(Cairn):
    """A new volume, whose daemon keeps to some processors."""

    def __init__(self, folder, binary, count=None):
        folder.mkdir()
        super().__init__(folder, binary)
        self.count = count

    def run(self, *arguments, **options):
        if self.count:
            options["preexec_fn"] = processors(self.count)
        options.setdefault("timeout", LIMIT)
        return super().run(*arguments, **options)

    def sync(self):
        start = now()
        # Its end is seen on the pipe; waiting for a process with a limit looks each 50 ms.
        self.run("sync", "bench", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return now() - start

    def __exit__(self, *_):
        super().__exit__()
        # The mount's end is told before the daemon's.
        for _ in range(100):
            if not os.path.ismount(self.mount_point):
                break
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stored(self):
        """The store's chunks: path and size."""
        return {path: path.stat().st_size for path in (self.store / "chunks").rglob("*")
                if path.is_file()}


def put(path, data):
    """A new file whose bytes are on the disk, where nothing is left to the kernel."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view[:8 * MEBIBYTE]):]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# MARK: rate


def disk_rate(folder, sizes):
    """Bytes a second of files of these sizes, written and brought to the disk with one sync."""
    block = os.urandom(max(sizes))
    target = folder / "plain"
    target.mkdir()
    start = now()
    for number, size in enumerate(sizes):
        (target / str(number)).write_bytes(block[:size])
    subprocess.run(["sync", "-f", target], check=True, timeout=LIMIT)
    seconds = now() - start
    shutil.rmtree(target)
    return sum(sizes) / seconds


def reference_rate(options, path):
    done = subprocess.run(
        [options.reference, HERE / "encryption.py", "reference-speed", path, str(options.seconds)],
        check=True, stdout=subprocess.PIPE, text=True, timeout=LIMIT, preexec_fn=processors(2))
    return json.loads(done.stdout)["encrypt"]


def rate(options):
    got = {}
    inputs = {"random": os.urandom(options.size), "text": texts(options.size)}
    roots = {"disk": options.folder, "memory": options.memory}
    for where in options.where:
        root = roots[where]
        folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-flush-", dir=root))
        try:
            with Volume(folder / "volume", options.cairn, 2) as volume:
                for name, data in inputs.items():
                    got[f"{where} {name}"] = one = {"flush": [], "plain": [], "reference": []}
                    sample = folder / "sample"
                    sample.write_bytes(data[:options.sample])
                    for number in range(options.rounds):
                        if options.reference:
                            one["reference"].append(reference_rate(options, sample))
                        # Turned, so that no chunk is there already.
                        turn = (number + 1) * 1_000_003 % len(data)
                        put(volume.directory / f"{name}-{number}", data[turn:] + data[:turn])
                        before = volume.stored()
                        one["flush"].append(len(data) / volume.sync())
                        sent = [size for path, size in volume.stored().items()
                                if path not in before]
                        if where == "disk":
                            one["plain"].append(disk_rate(folder, sent))
                            one["ratio"] = len(data) / sum(sent)
                    print(f"flush: {where}, {name}: {json.dumps(one)}", file=sys.stderr, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return got


def rate_table(got, missed):
    lines = ["| flush to a folder | bytes | Cairn, MB/s | reference, MB/s | ratio | wanted "
             "| the disk itself, MB/s | Cairn takes of it |", "|---|---|---:|---:|---:|---:|---:|---:|"]
    for key, one in got.items():
        where, name = key.split()
        mine = statistics.median(one["flush"])
        words = f"in {where}" if where == "memory" else "on the disk"
        cells = ["", "", f"≥ {WANTED[name]}"]
        if one["reference"]:
            ratio = mine / statistics.median(one["reference"])
            below = ratio < WANTED[name]
            if below:
                missed.append(f"flush {words} of {name}: {ratio:.1f} of the reference, "
                              f"not {WANTED[name]}")
            cells[:2] = [f"{statistics.median(one['reference']) / 1e6:.0f}",
                         f"{ratio:.1f}" + (" **" if below else "")]
        if one["plain"]:
            # In bytes of the file, as the others are.
            plain = statistics.median(one["plain"]) * one["ratio"]
            cells += [f"{plain / 1e6:.0f}", f"{mine / plain:.2f}"]
        else:
            cells += ["", ""]
        lines.append(f"| {words} | {name} | {mine / 1e6:.0f} | {' | '.join(cells)} |")
    return lines


# MARK: polite


def ask(program, directory, what, threads):
    done = call(program, what, directory, threads, WINDOW_MS, text=True,
                stdout=subprocess.PIPE, timeout=LIMIT)
    return float(done.stdout)


def polite(options):
    got = {}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-flush-", dir=options.folder))
    program = folder / "ask"
    call("gcc", "-O2", "-Wall", "-Wextra", "-Werror", HERE / "ask.c", "-o", program, "-pthread")
    try:
        with Volume(folder / "volume", options.cairn) as volume:
            directories = {"mount": volume.directory, "disk": folder / "plain"}
            directories["disk"].mkdir()
            for directory in directories.values():
                call(program, "prepare", directory, 1, 0)
                for number in range(SMALL_FILES):
                    (directory / f"small-{number}").write_bytes(os.urandom(EDIT))
            volume.sync()
            for what, words, threads, where in ASKED:
                directory = directories[where]
                one = got[f"{what} {threads} {where}"] = {
                    "words": words, "alone": [], "beside": [], "flush": []}
                for number in range(options.rounds):
                    one["alone"] += [ask(program, directory, what, threads) for _ in range(4)]
                    put(volume.directory / "flushed", os.urandom(options.large))
                    start = now()
                    flush = subprocess.Popen(
                        [volume.binary, "sync", "bench"], env=volume.environment,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    beside = []
                    try:
                        while True:
                            value = ask(program, directory, what, threads)
                            # Only what was asked while it ran.
                            if flush.poll() is not None:
                                break
                            beside.append(value)
                    finally:
                        if flush.wait(LIMIT) != 0:
                            sys.exit("flush: cairn sync failed")
                    one["flush"].append(options.large / (now() - start))
                    one["beside"] += beside
                    one["alone"] += [ask(program, directory, what, threads) for _ in range(4)]
                if not one["beside"]:
                    sys.exit("flush: the flush was over before anything was asked; use --large")
                print(f"flush: {what}, {threads}, {where}: {json.dumps(one)}",
                      file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return got


def polite_table(got, missed):
    lines = ["| while a file is flushed | threads | alone, a second | beside it | kept | wanted |",
             "|---|---:|---:|---:|---:|---:|"]
    for key, one in got.items():
        alone, beside = statistics.mean(one["alone"]), statistics.mean(one["beside"])
        _, threads, where = key.split()
        # What a directory keeps that Cairn does not serve is the machine's share.
        judged = where == "mount"
        below = judged and beside < KEPT * alone
        if below:
            missed.append(f"{one['words']}, {threads} threads, beside a flush: "
                          f"{beside / alone:.2f}, not {KEPT}")
        mark, wanted = " **" if below else "", f"≥ {KEPT}" if judged else ""
        lines.append(f"| {one['words']} | {threads} | {alone:,.0f} | {beside:,.0f} "
                     f"| {beside / alone:.2f}{mark} | {wanted} |")
    return lines


# MARK: edit


def edit(options):
    got = {"seconds": [], "data": [], "others": [], "bytes": []}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-flush-", dir=options.folder))
    dice = random.Random(options.seed)
    try:
        with Volume(folder / "volume", options.cairn) as volume:
            path = volume.directory / "large"
            with open(path, "wb", buffering=0) as file:
                for _ in range(options.whole // (64 * MEBIBYTE)):
                    file.write(dice.randbytes(64 * MEBIBYTE))
                os.fsync(file.fileno())
            volume.sync()
            for _ in range(options.edits):
                before = volume.stored()
                # Within one chunk: one that crosses into the next makes four.
                place = (dice.randrange(options.whole // CHUNK) * CHUNK
                         + dice.randrange(CHUNK // EDIT - 1) * EDIT)
                data = dice.randbytes(EDIT)
                with open(path, "r+b", buffering=0) as file:
                    os.pwrite(file.fileno(), data, place)
                    os.fsync(file.fileno())
                got["seconds"].append(volume.sync())
                new = [size for name, size in volume.stored().items() if name not in before]
                got["data"].append(sum(1 for size in new if size >= DATA_CHUNK))
                got["others"].append(sum(1 for size in new if size < DATA_CHUNK))
                got["bytes"].append(sum(new))
        print(f"flush: edit: {json.dumps(got)}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return got


def edit_table(got, missed):
    seconds, data = max(got["seconds"]), max(got["data"])
    if seconds >= EDIT_SECONDS:
        missed.append(f"an edit of 4 KiB is published in {seconds:.2f} s, not {EDIT_SECONDS}")
    if data > EDIT_CHUNKS:
        missed.append(f"an edit of 4 KiB makes {data} chunks, not {EDIT_CHUNKS}")
    mark = lambda bad: " **" if bad else ""
    return ["| 4 KiB of a file of 4 GiB, the most of "
            f"{len(got['seconds'])} edits | | wanted |", "|---|---:|---:|",
            f"| published, s | {seconds:.2f}{mark(seconds >= EDIT_SECONDS)} | < {EDIT_SECONDS} |",
            f"| new chunks of the file | {data}{mark(data > EDIT_CHUNKS)} | ≤ {EDIT_CHUNKS} |",
            f"| new chunks of its map, the directory and the revision | {max(got['others'])} | |",
            f"| bytes of all of them | {max(got['bytes']):,} | |"]


PARTS = {"rate": (rate, rate_table), "polite": (polite, polite_table), "edit": (edit, edit_table)}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", required=True, type=os.path.abspath, help="the command")
    parser.add_argument("--reference", help="a Python that has the reference library")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--where", default="disk,memory", help="what the rates are taken of")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of a turn of the reference")
    parser.add_argument("--size", type=int, default=512 * MEBIBYTE, help="bytes of a flush")
    parser.add_argument("--sample", type=int, default=64 * MEBIBYTE,
                        help="bytes of them that the reference encrypts at a time")
    parser.add_argument("--large", type=int, default=512 * MEBIBYTE,
                        help="bytes of the flush that others run beside")
    parser.add_argument("--whole", type=int, default=4096 * MEBIBYTE, help="bytes that are edited")
    parser.add_argument("--edits", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default="/var/tmp", help="on the disk to measure")
    parser.add_argument("--memory", default="/dev/shm", help="a filesystem in memory")
    parser.add_argument("--results", type=pathlib.Path, help="numbers, kept and added to")
    parser.add_argument("--table", type=pathlib.Path, help="the document; else standard output")
    options = parser.parse_args()
    options.parts, options.where = options.parts.split(","), options.where.split(",")
    if unknown := [where for where in options.where if where not in ("disk", "memory")]:
        parser.error(f"a rate is of disk or memory, not of {unknown[0]}")
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: the parts are {', '.join(PARTS)}")
    return options


def told(results):
    """All parts' tables, and what misses its limit."""
    lines, missed = [], []
    for part in (part for part in PARTS if part in results):
        lines += PARTS[part][1](results[part]["got"], missed) + [""]
    loads = [one["load"] for one in results.values()]
    lines.append(f"Load of the machine at each part's begin: {min(loads):.0f} to {max(loads):.0f}. "
                 "Two asterisks mark what misses its limit.")
    return lines, missed


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    results = document.earlier(options.results, told)
    for part in options.parts:
        load = os.getloadavg()[0]
        # Rows of a part that were taken before stay.
        with ring.offered():
            got = results.get(part, {}).get("got", {}) | PARTS[part][0](options)
        # The highest: some of the rows may be of an earlier run.
        load = max(load, results.get(part, {}).get("load", 0))
        results[part] = {"load": load, "got": got}
        document.keep(options.results, results)
    lines, missed = told(results)
    document.write(options.table, "flush", "\n".join(lines))
    if missed:
        sys.exit(f"flush: {len(missed)} limits are missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
