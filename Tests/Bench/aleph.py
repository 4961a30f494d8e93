#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# What a volume on Aleph Cloud asks of its node: 10,000 small files and one of 256 MiB are written to
# a new volume, synced, and read back by another machine; the same on a folder, beside it, for the
# time that is the network's share. The node is the tests' double, on 127.0.0.1, so that requests,
# messages and bytes are what a real one would see, and times are not.
#
# usage: aleph.py CAIRN ALEPHNODE [FILES [MEBIBYTES]]
#   CAIRN, ALEPHNODE: release builds: swift build -c release --product cairn, --product AlephNode

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

SMALL = 4096


class Node:
    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()

    def stats(self):
        self.process.stdin.write("stats\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


class Machine:
    """A state folder of its own, and a mount."""

    def __init__(self, binary, root, name):
        self.binary = binary
        self.root = os.path.join(root, name)
        self.mount = os.path.join(self.root, "mnt")
        os.makedirs(self.mount)
        self.environment = dict(os.environ, CAIRN_STATE=os.path.join(self.root, "state"))

    def cairn(self, *arguments, **more):
        return subprocess.run(
            [self.binary, *arguments],
            env=self.environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        ).stdout

    def peak(self):
        """The most memory the daemon has had, in MiB."""
        pid = json.loads(self.cairn("status", "bench", "--json"))["pid"]
        with open(f"/proc/{pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["VmHWM"].split()[0]) >> 10

    def end(self):
        subprocess.run(
            [self.binary, "unmount", "--now", self.mount],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def fill(folder, count, mebibytes):
    for number in range(count):
        if number % 500 == 0:
            os.mkdir(f"{folder}/d{number // 500}")
        with open(f"{folder}/d{number // 500}/f{number}", "wb") as file:
            file.write(os.urandom(SMALL))
    with open(f"{folder}/large", "wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(1 << 20))


def digest(folder):
    """Of every name and byte."""
    sum = hashlib.sha256()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            sum.update(name.encode())
            with open(os.path.join(place, name), "rb") as file:
                while piece := file.read(1 << 20):
                    sum.update(piece)
    return sum.hexdigest()


def difference(after, before):
    if isinstance(after, dict):
        found = {name: difference(after[name], before.get(name, 0)) for name in after}
        return {name: value for name, value in found.items() if value}
    return after - before


def measure(binary, root, store, node, files, mebibytes):
    def stats():
        return node.stats() if node else {}

    def step(label, begin, before):
        print(f"  {label}: {time.monotonic() - begin:.1f} s")
        if node:
            told = stats()
            rest = {name: value for name, value in told.items() if name != "requests"}
            since = {name: before[name] for name in rest} if before else {}
            for name, value in rest.items():
                print(f"    {name}: {json.dumps(difference(value, since.get(name, type(value)())))}")
            asked = difference(told["requests"], before.get("requests", {}))
            print(f"    requests: {sum(asked.values())} {json.dumps(asked)}")
        return stats()

    first = Machine(binary, root, "first")
    second = Machine(binary, root, "second")
    try:
        phrase = first.cairn("init", "bench", "--store", store)
        first.cairn("mount", "bench", first.mount)
        told, begin = stats(), time.monotonic()
        fill(first.mount + "/files", files, mebibytes)
        first.cairn("sync", first.mount)
        told = step(f"{files} files and {mebibytes} MiB, written and synced", begin, told)
        print(f"    memory: {first.peak()} MiB at most")
        begin = time.monotonic()
        for number in range(0, files, max(files // 100, 1)):
            os.remove(f"{first.mount}/files/d{number // 500}/f{number}")
        first.cairn("sync", first.mount)
        told = step("a hundred files removed, and synced", begin, told)
        wanted = digest(first.mount + "/files")
        told = stats()
        begin = time.monotonic()
        second.cairn("recover", "bench", "--store", store, input=phrase)
        second.cairn("mount", "bench", second.mount)
        os.listdir(second.mount + "/files")
        told = step("from the phrase to the first listing, elsewhere", begin, told)
        begin = time.monotonic()
        assert digest(second.mount + "/files") == wanted, "the tree came back different"
        step("every byte read there", begin, told)
        print(f"    memory: {second.peak()} MiB at most")
    finally:
        first.end()
        second.end()


def main():
    binary, alephnode = (os.path.abspath(path) for path in sys.argv[1:3])
    files = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    mebibytes = int(sys.argv[4]) if len(sys.argv) > 4 else 256
    root = tempfile.mkdtemp(prefix="cairn-bench-aleph-")
    node = Node(alephnode)
    try:
        print("on Aleph Cloud")
        host = node.url.removeprefix("http://")
        measure(binary, root + "/aleph", f"aleph://{host}?scheme=http", node, files, mebibytes)
        print("on a folder")
        measure(binary, root + "/folder", f"file://{root}/store", None, files, mebibytes)
    finally:
        node.stop()
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
