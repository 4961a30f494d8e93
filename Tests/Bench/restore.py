#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How soon a volume of many files is there on another machine.

    Tests/Bench/restore.py --cairn .build/release/cairn [--files 200000]
    Tests/Ceph/rgw run Tests/Bench/restore.py --cairn .build/release/cairn --s3 [--namespace]

Makes a volume of many small files in folders of a thousand, brings it to its store, and measures
what a second machine waits for that has only the phrase: `cairn recover`, `cairn mount`, the first
`ls` of one folder and the first look at everything. The second machine is another state folder;
with --namespace also another network namespace, which reaches the S3 server over a pair of virtual
interfaces. Needs root. Everything is removed again.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

FOLDER_SIZE = 1000
# Addresses of the two ends, from the block set aside for such tests (RFC 2544).
NEAR, FAR = "198.18.77.1", "198.18.77.2"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, **options)
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stderr)
        raise SystemExit(f"restore.py: {command[0]} {command[1]} failed")
    return done.stdout


def forward(listener, target):
    """Hands connections on to the server, which listens on the loopback interface only."""
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 18):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.create_connection(target)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


@contextlib.contextmanager
def namespace(endpoint):
    """Another network namespace: the words that run a program in it, and the endpoint there."""
    name = f"cairn-{uuid.uuid4().hex[:8]}"
    link = name[-8:]
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", f"n{link}", "type", "veth", "peer", "name", f"f{link}",
            "netns", name)
        run("ip", "address", "add", f"{NEAR}/30", "dev", f"n{link}")
        run("ip", "link", "set", f"n{link}", "up")
        run("ip", "-n", name, "address", "add", f"{FAR}/30", "dev", f"f{link}")
        run("ip", "-n", name, "link", "set", f"f{link}", "up")
        address = urllib.parse.urlsplit(endpoint)
        listener = socket.create_server((NEAR, 0))
        threading.Thread(
            target=forward, args=(listener, (address.hostname, address.port)), daemon=True).start()
        yield (["nsenter", f"--net=/run/netns/{name}"],
               f"http://{NEAR}:{listener.getsockname()[1]}")
        listener.close()
    finally:
        run("ip", "netns", "delete", name)


class Machine:
    """One state folder and mount point, and how programs are run there."""

    def __init__(self, work, name, binary, prefix=()):
        self.binary, self.prefix = binary, list(prefix)
        self.mount_point = work / f"mount-{name}"
        self.mount_point.mkdir()
        self.environment = {**os.environ, "CAIRN_STATE": str(work / f"state-{name}")}

    def cairn(self, *words, text=None):
        return run(*self.prefix, self.binary, *words, env=self.environment, input=text)

    def end(self):
        if os.path.ismount(self.mount_point):
            self.cairn("unmount", "--now", "v")


def timed(label, body):
    start = time.monotonic()
    result = body()
    print(f"| {label} | {time.monotonic() - start:.2f} |", flush=True)
    return result


def look(path):
    """What `ls -l` does."""
    with os.scandir(path) as entries:
        return sum(1 for entry in entries if entry.stat(follow_symlinks=False))


def fill(root, count):
    for folder in range(0, count, FOLDER_SIZE):
        path = root / f"{folder // FOLDER_SIZE:05}"
        path.mkdir(parents=True)
        for index in range(folder, min(folder + FOLDER_SIZE, count)):
            (path / f"{index:07}.txt").write_bytes(b"%d\n" % index * 20)


def measure(options, work, prefix, near_url, far_url):
    first = Machine(work, "first", options.cairn)
    second = Machine(work, "second", options.cairn, prefix)
    try:
        phrase = first.cairn("init", "v", "--store", near_url)
        fill(work / "tree", options.files)
        print(f"| {options.files} files | s |\n|---|---:|", flush=True)
        timed("put on the store", lambda: first.cairn(
            "put", "-q", "-r", work / "tree", "v:files"))
        start = time.monotonic()
        timed("recover", lambda: second.cairn("recover", "v", "--store", far_url, text=phrase))
        timed("mount", lambda: second.cairn("mount", "v", second.mount_point))
        files = second.mount_point / "files" / "tree"
        timed("first look at the folder of folders", lambda: os.listdir(files))
        print(f"| from the phrase to there | {time.monotonic() - start:.2f} |")
        middle = f"{options.files // FOLDER_SIZE // 2:05}"
        found = timed("first ls -l of a folder of 1000", lambda: look(files / middle))
        timed("the same again", lambda: look(files / middle))
        timed("cat of its 1000 files", lambda: [
            path.read_bytes() for path in sorted((files / middle).iterdir())])
        whole = timed("first look at everything", lambda: sum(
            len(names) for _, _, names in os.walk(files)))
        if whole != options.files or found != min(FOLDER_SIZE, options.files):
            raise SystemExit(f"restore.py: {whole} files came back, and {found} in one folder")
    finally:
        first.end()
        second.end()


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", required=True, type=os.path.abspath)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--s3", action="store_true", help="on Tests/Ceph/rgw, not in a folder")
    parser.add_argument("--namespace", action="store_true", help="restore in another one")
    options = parser.parse_args()
    if options.namespace and not options.s3:
        parser.error("--namespace is about a network: add --s3")
    work = pathlib.Path(tempfile.mkdtemp(prefix="cairn-restore-"))
    try:
        if not options.s3:
            url = f"file://{work}/store"
            return measure(options, work, (), url, url)
        if "CAIRN_RGW" not in os.environ:
            parser.error("there is no S3 server: run it under Tests/Ceph/rgw run")
        run(os.environ["CAIRN_RGW_SCRIPT"], "make-bucket", os.environ["CAIRN_RGW"], "bench")
        endpoint, place = os.environ["CAIRN_RGW_ENDPOINT"], f"s3://bench/{uuid.uuid4()}?endpoint="
        if not options.namespace:
            return measure(options, work, (), place + endpoint, place + endpoint)
        with namespace(endpoint) as (prefix, there):
            measure(options, work, prefix, place + endpoint, place + there)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
