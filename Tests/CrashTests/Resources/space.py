#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Writes to a mount whose disk is full now and then, and believes what fsync says.
#
#   space.py work   MOUNT FOLDER SECONDS SEED FILL   prints each errno it met, and how often
#   space.py verify MOUNT FOLDER                     checks all that was promised
#
# FILL is a file on the disk in question: it is made as large as the disk allows at random
# moments, and removed again. What was promised is noted beside it, in FOLDER, which lies elsewhere.

import errno
import hashlib
import json
import os
import random
import sys
import threading
import time


def content(seed, size):
    """The same bytes for the same seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def fill(path, leave):
    """Takes all the room there is but for some bytes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for size in (1 << 20, 4096):
            while True:
                values = os.fstatvfs(descriptor)
                if values.f_bavail * values.f_frsize <= leave:
                    return
                try:
                    os.write(descriptor, bytes(size))
                except OSError:
                    break
    finally:
        os.close(descriptor)


def write_all(descriptor, data):
    done = 0
    while done < len(data):
        done += os.write(descriptor, data[done : done + 65536])


def save(path, data):
    """One file, all of it or an error; the descriptor is closed in any case."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Filler(threading.Thread):
    """Fills the disk and makes room again, until it is ended."""

    # Bytes that it leaves: little enough that each step of a write, a flush and a revision is
    # once the one that finds no room.
    ROOMS = [0, 0, 1 << 14, 1 << 17, 1 << 20, 6 << 20, 20 << 20]

    def __init__(self, path, seed):
        super().__init__()
        self.path = path
        self.dice = random.Random(seed)
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(self.dice.uniform(0.3, 1.5)):
            fill(self.path, self.dice.choice(self.ROOMS))
            # Longer than a write waits for room, now and then.
            self.over.wait(self.dice.choice([0.3, 1, 2, 4]))
            os.unlink(self.path)


def work(mount, folder, seconds, seed, path):
    dice = random.Random(seed)
    met, sure, count = {}, {}, 0
    end = time.monotonic() + seconds
    filler = Filler(path, dice.getrandbits(60))
    filler.start()
    while time.monotonic() < end:
        count += 1
        top = dice.choice(["files", "files", "scratchpads"])
        largest = 3_000_000 if top == "files" else 50_000
        name, size = f"{top}/s{count % 60}", int(largest ** dice.random())
        path = os.path.join(mount, name)
        own = dice.getrandbits(60)
        # Until it is promised again, nothing is sure of it: the old content is cut off first.
        sure.pop(name, None)
        try:
            save(path, content(own, size))
            sure[name] = (own, size)
        except OSError as error:
            word = errno.errorcode[error.errno]
            met[word] = met.get(word, 0) + 1
            time.sleep(0.02)
        with open(os.path.join(folder, "sure"), "w", encoding="utf-8") as file:
            json.dump(sure, file)
    filler.over.set()
    filler.join()
    print(json.dumps({"met": met, "sure": len(sure), "count": count}))


def verify(mount, folder):
    with open(os.path.join(folder, "sure"), encoding="utf-8") as file:
        sure = json.load(file)
    broken = 0
    for name, (seed, size) in sure.items():
        try:
            with open(os.path.join(mount, name), "rb") as file:
                right = file.read() == content(seed, size)
        except OSError as error:
            print(f"{name}: {error}")
            right = False
        if not right:
            broken += 1
            print(f"{name} is not what was promised")
    return 1 if broken else 0


def main(arguments):
    if arguments[0] == "work":
        mount, folder, seconds, seed, filler = arguments[1:]
        work(mount, folder, float(seconds), int(seed), filler)
        return 0
    return verify(*arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
