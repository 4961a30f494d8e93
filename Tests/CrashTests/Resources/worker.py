#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Programs that believe what fsync says, and a judge that holds the mount to it.
#
#   worker.py work   MOUNT FOLDER MANIFEST SEED   works until the mount dies or it is ended
#   worker.py verify MOUNT MANIFEST...            checks every promise; prints the broken ones
#
# The manifest lies elsewhere. Before an operation its intent is written there, and after the fsync
# that covers it, its promise. The judge replays the promises in memory and compares. Where an
# intent was never followed by its promise, what the operation could have left is right too, and
# nothing else.

import hashlib
import json
import os
import random
import signal
import sqlite3
import stat
import sys
import threading

LARGEST = 300_000
PAD_LARGEST = 60_000
PAGE = 4096


def content(seed, size):
    """The same bytes for the same seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def page(seed, number):
    """The bytes that an act gives one of its pages."""
    return content(f"{seed}-{number}", PAGE)


class Manifest:
    """Lines of JSON; one write each, so that threads do not mix them."""

    def __init__(self, path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.file = os.open(path, flags, 0o600)

    def line(self, kind, job, **fields):
        fields.update(kind=kind, job=job)
        os.write(self.file, (json.dumps(fields) + "\n").encode())


def sync_folder(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor, data, offset=None):
    done = 0
    while done < len(data):
        piece = data[done : done + 65536]
        if offset is None:
            done += os.write(descriptor, piece)
        else:
            done += os.pwrite(descriptor, piece, offset + done)


class Job:
    """One thread in a folder of its own. Each act is an intent, the act, its sync, a promise."""

    def __init__(self, mount, top, folder, number, manifest, dice):
        self.number = number
        self.name = f"{folder}-{number}"
        self.below = f"{top}/{folder}/{number}"
        self.path = os.path.join(mount, self.below)
        self.manifest = manifest
        self.dice = dice
        self.files = {}
        self.count = 0

    def begin(self, act, **fields):
        self.manifest.line("intent", self.name, act=act, below=self.below, **fields)

    def done(self):
        self.manifest.line("promise", self.name)

    def fresh(self):
        self.count += 1
        return f"f{self.count}"

    def some(self):
        return self.dice.choice(sorted(self.files))

    def at(self, name):
        return os.path.join(self.path, name)

    def seed(self):
        return self.dice.getrandbits(60)

    def size(self, largest=LARGEST):
        return int(largest ** self.dice.random())

    def run(self):
        os.makedirs(self.path, exist_ok=True)
        sync_folder(self.path)
        self.manifest.line("start", self.name, below=self.below)
        while True:
            self.step()


class FileJob(Job):
    """New files, overwrites, appends, saves by rename, truncations, removals, directories; and pages
    in no order, as databases write them."""

    def step(self):
        acts = [self.new, self.new]
        if self.files:
            acts += [self.overwrite, self.append, self.save, self.truncate, self.remove]
            acts += [self.move, self.overwrite, self.save, self.burst, self.careless]
            acts += [self.pages, self.pages]
        if len(self.files) > 30:
            acts = [self.remove]
        self.dice.choice(acts)()

    def sync(self, descriptor):
        # Each of them promises the same here: all that was done before, in the whole volume.
        self.dice.choice([os.fsync, os.fdatasync])(descriptor)

    def new(self):
        name, seed, size = self.fresh(), self.seed(), self.size()
        if self.dice.random() < 0.2:
            folder = f"d{self.count}"
            self.begin("mkdir", name=folder)
            os.mkdir(self.at(folder))
            sync_folder(self.path)
            self.done()
            name = f"{folder}/{name}"
        self.begin("new", name=name, seed=seed, size=size)
        descriptor = os.open(self.at(name), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            write_all(descriptor, content(seed, size))
            self.sync(descriptor)
            if self.dice.random() < 0.5:
                sync_folder(os.path.dirname(self.at(name)))
        finally:
            os.close(descriptor)
        self.done()
        self.files[name] = size

    def overwrite(self):
        name, seed = self.some(), self.seed()
        old = self.files[name]
        offset = self.dice.randint(0, old)
        size = self.size()
        self.begin("overwrite", name=name, seed=seed, size=size, offset=offset)
        descriptor = os.open(self.at(name), os.O_RDWR)
        try:
            write_all(descriptor, content(seed, size), offset)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.done()
        self.files[name] = max(old, offset + size)

    def append(self):
        name, seed, size = self.some(), self.seed(), self.size(20_000)
        self.begin("overwrite", name=name, seed=seed, size=size, offset=self.files[name])
        descriptor = os.open(self.at(name), os.O_WRONLY | os.O_APPEND)
        try:
            write_all(descriptor, content(seed, size))
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.done()
        self.files[name] += size

    def burst(self):
        name = self.some()
        descriptor = os.open(self.at(name), os.O_WRONLY | os.O_APPEND)
        try:
            for _ in range(self.dice.randint(2, 8)):
                seed, size = self.seed(), self.dice.randint(1, 400)
                self.begin("overwrite", name=name, seed=seed, size=size, offset=self.files[name])
                write_all(descriptor, content(seed, size))
                self.sync(descriptor)
                self.done()
                self.files[name] += size
        finally:
            os.close(descriptor)

    def pages(self):
        name, seed = self.some(), self.seed()
        there = range(self.files[name] // PAGE)
        numbers = self.dice.sample(there, min(len(there), self.dice.randint(1, 60)))
        if not numbers:
            return
        self.begin("pages", name=name, seed=seed, numbers=numbers)
        descriptor = os.open(self.at(name), os.O_RDWR)
        try:
            for number in numbers:
                os.pwrite(descriptor, page(seed, number), number * PAGE)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.done()

    def save(self):
        name, seed, size = self.some(), self.seed(), self.size()
        self.begin("save", name=name, seed=seed, size=size)
        spare = self.at(name) + ".new"
        descriptor = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(descriptor, content(seed, size))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(spare, self.at(name))
        sync_folder(os.path.dirname(self.at(name)))
        self.done()
        self.files[name] = size

    def careless(self):
        """A save without fsync: whole before or after. The sync of another file promises it."""
        name, seed, size = self.some(), self.seed(), self.size()
        self.begin("save", name=name, seed=seed, size=size)
        spare = self.at(name) + ".new"
        with open(spare, "wb") as file:
            file.write(content(seed, size))
        os.rename(spare, self.at(name))
        other = os.open(self.at(self.some()), os.O_RDONLY)
        try:
            os.fsync(other)
        finally:
            os.close(other)
        self.done()
        self.files[name] = size

    def truncate(self):
        name = self.some()
        size = self.dice.randint(0, self.files[name] + 5000)
        self.begin("truncate", name=name, size=size)
        descriptor = os.open(self.at(name), os.O_RDWR)
        try:
            os.ftruncate(descriptor, size)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.done()
        self.files[name] = size

    def remove(self):
        name = self.some()
        self.begin("remove", name=name)
        os.unlink(self.at(name))
        sync_folder(os.path.dirname(self.at(name)))
        self.done()
        del self.files[name]

    def move(self):
        name, target = self.some(), self.fresh()
        self.begin("move", name=name, target=target)
        os.rename(self.at(name), self.at(target))
        sync_folder(os.path.dirname(self.at(name)))
        sync_folder(self.path)
        self.done()
        self.files[target] = self.files.pop(name)


class PadJob(Job):
    """Pads: written in place, and saved as editors do."""

    def step(self):
        if len(self.files) < 5 or self.dice.random() < 0.1:
            name = self.fresh() if len(self.files) < 12 else self.some()
        else:
            name = self.some()
        seed, size = self.seed(), self.size(PAD_LARGEST)
        if name in self.files and self.dice.random() < 0.6:
            self.begin("save", name=name, seed=seed, size=size)
            spare = os.path.join(self.path, f".{name}.swp")
            self.write(spare, seed, size)
            os.rename(spare, self.at(name))
            sync_folder(self.path)
        else:
            self.begin("rewrite" if name in self.files else "new", name=name, seed=seed, size=size)
            self.write(self.at(name), seed, size)
        self.done()
        self.files[name] = size

    def write(self, path, seed, size):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(descriptor, content(seed, size))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class DatabaseJob(Job):
    """Transactions of SQLite, which calls fsync as a database does."""

    def __init__(self, *arguments, mode):
        super().__init__(*arguments)
        self.mode = mode

    def run(self):
        os.makedirs(self.path, exist_ok=True)
        base = sqlite3.connect(self.at("db"), isolation_level=None)
        base.execute(f"PRAGMA journal_mode = {self.mode}")
        # EXTRA, not FULL: FULL does not sync the folder after it removed the rollback journal, so
        # that a crash may bring the journal back, and the last transaction is rolled back.
        base.execute("PRAGMA synchronous = EXTRA")
        base.execute("PRAGMA wal_autocheckpoint = 40")
        base.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, seed TEXT, data BLOB)")
        sync_folder(self.path)
        self.manifest.line("start", self.name, below=self.below)
        number = 0
        while True:
            seed, size = self.seed(), self.size(30_000)
            self.begin("transaction", number=number, seed=seed, size=size)
            base.execute("BEGIN IMMEDIATE")
            row = (number, str(seed), content(seed, size))
            base.execute("INSERT INTO rows VALUES (?, ?, ?)", row)
            base.execute("COMMIT")
            # SQLite takes a folder that does not open for one that needs no sync. That it opens
            # now shows that the mount was alive then.
            os.close(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY))
            self.done()
            number += 1


def work(mount, folder, manifest_path, seed):
    dice = random.Random(seed)
    manifest = Manifest(manifest_path)

    def make(kind, top, number, **options):
        own = random.Random(dice.getrandbits(64))
        return kind(mount, top, folder, number, manifest, own, **options)

    jobs = [make(FileJob, "files", number) for number in range(3)]
    jobs += [make(PadJob, "scratchpads", 3)]
    jobs += [make(DatabaseJob, "files", 4, mode="WAL")]
    jobs += [make(DatabaseJob, "files", 5, mode="DELETE")]

    def run(job):
        try:
            job.run()
        except (OSError, sqlite3.Error) as error:
            # The mount died under it, as it should; what was promised stands in the manifest.
            manifest.line("end", job.name, error=str(error))

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Judge:
    """What was promised of one job, and what its last, unpromised act could have left."""

    def __init__(self, name, below):
        self.name = name
        self.below = below
        self.files = {}
        self.folders = set()
        self.rows = []
        self.intent = None
        self.promises = 0

    def promise(self):
        intent, self.intent = self.intent, None
        self.promises += 1
        name = intent.get("name")
        act = intent["act"]
        if act in ("new", "save", "rewrite"):
            self.files[name] = content(intent["seed"], intent["size"])
        elif act == "overwrite":
            self.files[name] = overwritten(self.files[name], intent)
        elif act == "pages":
            self.files[name] = paged(self.files[name], intent)
        elif act == "truncate":
            self.files[name] = truncated(self.files[name], intent["size"])
        elif act == "remove":
            del self.files[name]
        elif act == "move":
            self.files[intent["target"]] = self.files.pop(name)
        elif act == "mkdir":
            self.folders.add(name)
        elif act == "transaction":
            self.rows.append((intent["number"], str(intent["seed"]), intent["size"]))

    def doubtful(self):
        """Names of which the open intent lets more than one state be right."""
        intent = self.intent or {}
        return {intent.get("name"), intent.get("target")} - {None}


def overwritten(old, intent):
    new = bytearray(old)
    start, data = intent["offset"], content(intent["seed"], intent["size"])
    if len(new) < start + len(data):
        new.extend(bytes(start + len(data) - len(new)))
    new[start : start + len(data)] = data
    return bytes(new)


def paged(old, intent):
    new = bytearray(old)
    for number in intent["numbers"]:
        new[number * PAGE : (number + 1) * PAGE] = page(intent["seed"], number)
    return bytes(new)


def truncated(old, size):
    return old[:size] + bytes(max(0, size - len(old)))


def is_mixture(found, old, new):
    """Each byte is the old one or the new one; grown bytes may also be zeros still."""
    if found in (old, new):
        return True
    if not min(len(old), len(new)) <= len(found) <= max(len(old), len(new)):
        return False
    for index, byte in enumerate(found):
        if index < len(old) and old[index] == byte:
            continue
        if index < len(new) and new[index] == byte:
            continue
        if index >= len(old) and byte == 0:
            continue
        return False
    return True


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def check_doubtful(judge, folder, broken):
    intent = judge.intent
    name, act = intent.get("name"), intent["act"]
    if act in ("transaction", "mkdir"):
        return
    found = read(os.path.join(folder, name))
    old = judge.files.get(name)
    if act == "new":
        whole = content(intent["seed"], intent["size"])
        right = found is None or is_mixture(found, b"", whole)
    elif act == "save":
        right = found in (old, content(intent["seed"], intent["size"]))
    elif act == "rewrite":
        whole = content(intent["seed"], intent["size"])
        right = found == old or (found is not None and is_mixture(found, b"", whole))
    elif act == "overwrite":
        right = found is not None and is_mixture(found, old, overwritten(old, intent))
    elif act == "pages":
        right = found is not None and is_mixture(found, old, paged(old, intent))
    elif act == "truncate":
        right = found in (old, truncated(old, intent["size"]))
    elif act == "remove":
        right = found in (old, None)
    else:
        # A rename is whole: one of the two names, and the bytes behind it.
        target = read(os.path.join(folder, intent["target"]))
        right = (found, target) in ((old, None), (None, old))
    if not right:
        size = "nothing" if found is None else f"{len(found)} bytes"
        broken.append(f"{judge.name}: {act} in flight left {size} at {name}")


def check_files(judge, mount, broken):
    folder = os.path.join(mount, judge.below)
    doubtful = judge.doubtful()
    for name in judge.folders - doubtful:
        path = os.path.join(folder, name)
        if not os.path.isdir(path) or not stat.S_ISDIR(os.stat(path).st_mode):
            broken.append(f"{judge.name}: directory {name} is gone")
    for name, wanted in judge.files.items():
        if name in doubtful:
            continue
        found = read(os.path.join(folder, name))
        if found != wanted:
            size = "missing" if found is None else f"{len(found)} bytes"
            broken.append(f"{judge.name}: {name} is {size}, promised {len(wanted)} bytes")
    # What was removed, or renamed away, stays gone.
    for root, folders, names in os.walk(folder):
        for entry in names:
            name = os.path.relpath(os.path.join(root, entry), folder)
            spare = name.endswith(".new") or entry.endswith(".swp") or entry.startswith("db")
            if name in judge.files or name in doubtful or spare:
                continue
            broken.append(f"{judge.name}: {name} has come back")
    if judge.intent:
        check_doubtful(judge, folder, broken)


def check_rows(judge, mount, broken):
    path = os.path.join(mount, judge.below, "db")
    base = sqlite3.connect(path)
    try:
        said = base.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            broken.append(f"{judge.name}: the database is damaged: {said}")
        found = base.execute("SELECT number, seed, data FROM rows ORDER BY number").fetchall()
    except sqlite3.Error as error:
        broken.append(f"{judge.name}: the database does not open: {error}")
        return
    finally:
        base.close()
    wanted = list(judge.rows)
    intent = judge.intent
    if intent and len(found) == len(wanted) + 1:
        wanted.append((intent["number"], str(intent["seed"]), intent["size"]))
    if len(found) != len(wanted):
        broken.append(f"{judge.name}: {len(found)} rows, promised {len(wanted)}")
    for (number, seed, data), (own, own_seed, size) in zip(found, wanted):
        if (number, seed) != (own, own_seed) or data != content(own_seed, size):
            broken.append(f"{judge.name}: row {own} is not what was committed")


def verify(mount, manifests):
    judges, broken = {}, []
    for path in manifests:
        with open(path, encoding="utf-8") as file:
            for text in file:
                line = json.loads(text)
                name = line["job"]
                if line["kind"] == "start":
                    judges[name] = Judge(name, line["below"])
                elif line["kind"] == "intent":
                    judges[name].intent = line
                elif line["kind"] == "promise":
                    judges[name].promise()
    for judge in judges.values():
        try:
            is_database = judge.rows or (judge.intent or {}).get("act") == "transaction"
            check = check_rows if is_database else check_files
            check(judge, mount, broken)
        except OSError as error:
            broken.append(f"{judge.name}: {error}")
    for line in broken:
        print(line)
    print(f"promises {sum(judge.promises for judge in judges.values())}")
    return 1 if broken else 0


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if arguments[0] == "work":
        work(*arguments[1:4], int(arguments[4]))
        return 0
    return verify(arguments[1], arguments[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
