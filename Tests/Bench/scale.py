#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How cost grows with the number of files, from a thousand to a million.

    Tests/Bench/scale.py --cairn .build/release/cairn --sizes 1000,10000,100000,1000000

For each size N four volumes are made, measured and removed again:

    tree        N files of 100 bytes in directories of a hundred
    directory   one directory of N such files
    sparse      a file of 1 TiB with N / 1000 written places
    pad         a pad saved N / 100 times, each of them brought to the store

Each is made on a mount, brought to a folder store, changed, mounted again, and recovered from its
phrase on a state folder of its own. What is measured stands beside the limits of LIMITS; one that is
missed makes the run fail. --table writes a document's part between its markers, --plot the pictures,
--results keeps the numbers, and takes up those of earlier runs, so that sizes can be run one by one.
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
import growth
import ring

BYTES = 100
FILES_A_DIRECTORY = 100
TEBIBYTE = 1 << 40
PLACE = 4096
# Places that are looked at; of their times the median counts.
LOOKUPS = 2000
LISTS = 21
CHANGES = 5
FINDS = 3
# One run of one program; a hang is a failure.
LIMIT = 3600

now = time.perf_counter


class Volume:
    """A volume on a folder store, and the machines (state folders) that mount it."""

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, str(binary)
        self.mount_point = folder / "mount"
        self.mount_point.mkdir(parents=True)
        self.store = folder / "store"
        self.machine = "first"
        self.peak = 0
        self.phrase = self.cairn("init", "v", "--store", self.store).decode()

    def cairn(self, *words, text=None):
        environment = dict(os.environ, CAIRN_STATE=str(self.folder / self.machine))
        done = subprocess.run(
            [self.binary, *map(str, words)], env=environment, check=False, timeout=LIMIT,
            input=text.encode() if text else None, capture_output=True)
        if done.returncode != 0:
            sys.stderr.buffer.write(done.stderr)
            raise SystemExit(f"scale: cairn {words[0]} failed")
        return done.stdout

    @property
    def files(self):
        return self.mount_point / "files"

    def mount(self):
        """Seconds that it takes, the command included."""
        start = now()
        self.cairn("mount", "v", self.mount_point)
        return now() - start

    def sync(self):
        start = now()
        self.cairn("sync", "v")
        return now() - start

    def status(self):
        return json.loads(self.cairn("status", "v", "--json"))

    def unmount(self):
        """Notes what the daemon had at most before it ends."""
        self.peak = max(self.peak, self.status()["peakMemoryBytes"])
        self.cairn("unmount", "v")

    def recover(self):
        """Goes on as another machine, which has the phrase and nothing else."""
        self.machine = "second"
        self.cairn("recover", "v", "--store", self.store, text=self.phrase)

    def changed(self, change):
        """What a change costs until it is published: median seconds, most bytes of new chunks."""
        seconds, sent = [], []
        for number in range(CHANGES):
            before = self.status()["bytesStored"]
            change(number)
            seconds.append(self.sync())
            sent.append(self.status()["bytesStored"] - before)
        return {"publish_s": statistics.median(seconds), "publish_bytes": max(sent)}

    def database(self):
        """Bytes of the metadata database of a volume that is not mounted."""
        folder = self.folder / self.machine / "volumes" / "v"
        return sum((folder / name).stat().st_size
                   for name in ("meta.db", "meta.db-wal") if (folder / name).exists())

    def end(self):
        if os.path.ismount(self.mount_point):
            self.cairn("unmount", "v", "--now")
        shutil.rmtree(self.folder, ignore_errors=True)


def content(index):
    return b"%0*d\n" % (BYTES - 1, index)


def write(path, data):
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def found(path):
    """Entries a second of `find`, which are as many as there are."""
    start = now()
    listed = subprocess.run(
        ["find", path], check=True, timeout=LIMIT, stdout=subprocess.PIPE).stdout
    return listed.count(b"\n"), now() - start


def listing(path):
    """A directory's names, and the moment at which the first of them was there."""
    with os.scandir(path) as entries:
        names = [next(entries).name]
        first = now()
        names += [entry.name for entry in entries]
    return names, first


def same(actual, wanted, what):
    """A value that is not what was written makes the run fail."""
    if actual != wanted:
        raise SystemExit(f"scale: {what}: {actual!r:.200}, where {wanted!r:.200} was written")


def files(volume, count, directory, rng):
    """The way of both forms of a tree; `directory` says which one a file lies in."""
    name = lambda index: volume.files / "t" / directory(index) / f"f{index:07}"
    got = {"mount_new_s": volume.mount()}
    (volume.files / "t").mkdir()
    directories = sorted({directory(index) for index in range(count)})
    start = now()
    late, last = start, None
    for index in range(count):
        if directory(index) != last:
            last = directory(index)
            (volume.files / "t" / last).mkdir()
        if index == count - count // 10:
            late = now()
        write(name(index), content(index))
    end = now()
    got["create"] = count / (end - start)
    got["create_late"] = (count // 10) / (end - late)
    got["publish_all_s"] = volume.sync()
    got |= volume.changed(lambda number: write(name(rng.randrange(count)), b"changed %d" % number))
    volume.unmount()
    got["database_bytes"] = (volume.database() - count * BYTES) / count

    got["mount_s"] = volume.mount()
    some = [name(rng.randrange(count)) for _ in range(LOOKUPS)]
    start = now()
    for path in some:
        os.lstat(path)
    got["lookup_us"] = (now() - start) / len(some) * 1e6
    entries = count + len(directories) + 1
    seen, seconds = found(volume.files / "t")
    same(seen, entries, "find")
    got["find_cold"] = entries / seconds
    got["find_warm"] = entries / statistics.median(
        found(volume.files / "t")[1] for _ in range(FINDS))
    volume.unmount()

    volume.recover()
    got["mount_recovered_s"] = volume.mount()
    start = now()
    same(sorted(os.listdir(volume.files / "t")), directories, "the directory of directories")
    got["list_directories_ms"] = (now() - start) * 1e3
    times, begun = [], []
    for one in rng.sample(directories, min(LISTS, len(directories))):
        start = now()
        listed, first = listing(volume.files / "t" / one)
        times.append((now() - start) * 1e3)
        begun.append((first - start) * 1e3)
        wanted = count if len(directories) == 1 else FILES_A_DIRECTORY
        same(len(listed), wanted, "the first look into a directory")
    got["list_first_ms"], got["list_worst_ms"] = statistics.median(times), max(times)
    got["list_begin_ms"] = statistics.median(begun)
    seen, seconds = found(volume.files / "t")
    same(seen, entries, "find on another machine")
    got["find_recovered"] = entries / seconds
    # In the end, not among the files that were changed above.
    index = next(index for index in (rng.randrange(count) for _ in range(1000))
                 if not name(index).read_bytes().startswith(b"changed"))
    same(name(index).read_bytes(), content(index), "a file")
    volume.unmount()
    return got


def tree(volume, count, rng):
    return files(volume, count, lambda index: f"d{index // FILES_A_DIRECTORY:05}", rng)


def directory(volume, count, rng):
    return files(volume, count, lambda index: "all", rng)


def sparse(volume, count, rng):
    places = max(1, count // 1000)
    got = {"mount_new_s": volume.mount()}
    path = volume.files / "sparse"
    step = TEBIBYTE // places
    written = {index * step + rng.randrange(step // PLACE) * PLACE: rng.randbytes(PLACE)
               for index in range(places)}
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    os.ftruncate(descriptor, TEBIBYTE)
    start = now()
    for place, data in written.items():
        os.pwrite(descriptor, data, place)
    os.fsync(descriptor)
    got["create"] = places / (now() - start)
    os.close(descriptor)
    got["publish_all_s"] = volume.sync()

    def change(_):
        place = rng.choice(list(written))
        written[place] = rng.randbytes(PLACE)
        with open(path, "r+b", buffering=0) as file:
            os.pwrite(file.fileno(), written[place], place)

    got |= volume.changed(change)
    volume.unmount()
    got["mount_s"] = volume.mount()
    volume.unmount()
    volume.recover()
    got["mount_recovered_s"] = volume.mount()
    same(path.stat().st_size, TEBIBYTE, "the size")
    start = now()
    with open(path, "rb", buffering=0) as file:
        for place, data in written.items():
            same(os.pread(file.fileno(), PLACE, place), data, f"4 KiB at {place}")
        got["read_us"] = (now() - start) / places * 1e6
        # Where nothing was written, nothing is.
        hole = next(place for place in (rng.randrange(TEBIBYTE // PLACE) * PLACE
                                        for _ in range(1000)) if place not in written)
        same(os.pread(file.fileno(), PLACE, hole), bytes(PLACE), "a hole")
    volume.unmount()
    return got


def pad(volume, count, rng):
    saves = max(10, count // 100)
    got = {"mount_new_s": volume.mount()}
    path = volume.mount_point / "scratchpads" / "pad"
    times, synced, data = [], [], b""
    counter = lambda: int(os.getxattr(path, "user.cairn.counter"))
    for number in range(saves):
        data = b"save %d %s" % (number, rng.randbytes(500).hex().encode())
        start = now()
        write(path, data)
        times.append(now() - start)
        # Else saves that follow each other soon would be one step of its counter.
        synced.append(volume.sync())
    got["create"] = 1 / statistics.median(times)
    got["create_late"] = 1 / statistics.median(times[-(saves // 10):])
    got["save_ms"] = statistics.median(synced) * 1e3
    got["save_late_ms"] = statistics.median(synced[-(saves // 10):]) * 1e3
    got["counter"] = counter()
    same(got["counter"], saves, "the counter")

    def change(number):
        nonlocal data
        data = b"changed %d" % number
        write(path, data)

    got |= volume.changed(change)
    volume.unmount()
    got["mount_s"] = volume.mount()
    volume.unmount()
    volume.recover()
    got["mount_recovered_s"] = volume.mount()
    start = now()
    same(path.read_bytes(), data, "the pad")
    got["read_us"] = (now() - start) * 1e6
    volume.unmount()
    return got


PARTS = {"tree": tree, "directory": directory, "sparse": sparse, "pad": pad}


def measure(options, part, count):
    """One volume from its making to its end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-scale-", dir=options.folder))
    volume = Volume(folder, options.cairn)
    start, load = now(), os.getloadavg()[0]
    try:
        got = PARTS[part](volume, count, random.Random(f"{options.seed} {part} {count}"))
        got["memory_mib"] = volume.peak / (1 << 20)
        got["load"] = load
        got["seconds"] = now() - start
        return got
    finally:
        volume.end()


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cairn", required=True, type=os.path.abspath, help="the command")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default="/var/tmp", help="on the disk to measure")
    parser.add_argument("--results", type=pathlib.Path, help="numbers, kept and added to")
    parser.add_argument("--table", type=pathlib.Path, help="the document; else standard output")
    parser.add_argument("--plot", type=pathlib.Path, help="where the picture goes")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    options.sizes = [int(size) for size in options.sizes.split(",") if size]
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: the parts are {', '.join(PARTS)}")
    if any(size < 1000 for size in options.sizes):
        parser.error("the smallest size is 1000")
    return options


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    results = document.earlier(options.results, growth.told)
    for size in options.sizes:
        for part in options.parts:
            print(f"scale: {part}, {size}", file=sys.stderr, flush=True)
            with ring.offered():
                got = measure(options, part, size)
            print(json.dumps({"part": part, "size": size, **got}), file=sys.stderr, flush=True)
            results.setdefault(part, {})[str(size)] = got
            document.keep(options.results, results)
    text, missed = growth.told(results)
    document.write(options.table, "scale", text)
    if options.plot:
        options.plot.write_text(growth.plot(results), encoding="utf-8")
    if missed:
        sys.exit(f"scale: {len(missed)} limits are missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
