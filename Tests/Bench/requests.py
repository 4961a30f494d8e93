#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many requests, and how many bytes, small files cost on an S3 server.

    Tests/Ceph/rgw run Tests/Bench/requests.py --cairn .build/release/cairn [--files 10000]

Copies many small files in, changes one, and brings everything back on another machine; after each,
the requests that the server logged are counted, by what they were for. Needs root. Everything is
made in a temporary folder and removed again. With --put the files go in by `cairn put`, without a
mount, and come back by one look at every folder, which brings the same pages: for a million files.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import tempfile
import time

import gateway

BUCKET = "requests"
# One run of one program; a hang is a failure.
LIMIT = 1800
# What the gateway writes for each request: its method, its path, the bytes that it sent.
LINE = re.compile(r'beast: .*? "([A-Z]+) ([^ ]+) [^"]*" (\d+) (\d+)')


def run(command, **options):
    return gateway.run(command, LIMIT, **options)


def purpose(method, path):
    if "/chunks/" in path:
        return f"{method} chunk"
    if "/pads/" in path:
        return f"{method} pad"
    return f"{method} other"


class Log:
    """The gateway's own log, from where it was read last."""

    def __init__(self):
        self.path = pathlib.Path(os.environ["CAIRN_RGW"]) / "client.log"
        self.place = self.path.stat().st_size

    def counted(self):
        # The gateway writes its log some moments later.
        time.sleep(3)
        with self.path.open("rb") as file:
            file.seek(self.place)
            text = file.read().decode(errors="replace")
            self.place = file.tell()
        counts = collections.Counter()
        for method, path, _, _ in LINE.findall(text):
            counts[purpose(method, path)] += 1
        return counts


class Volume(gateway.Volume):
    bucket, limit = BUCKET, LIMIT

    def metrics(self):
        text = (self.work / "m" / ".cairn" / "metrics").read_text()
        return {
            name: int(float(value))
            for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if "{" in line)
        }


def kept():
    """Bytes of all objects, as the server counts them."""
    text = run([os.environ["CAIRN_RGW_SCRIPT"], "admin", os.environ["CAIRN_RGW"], "bucket",
                "stats", f"--bucket={BUCKET}"]).stdout
    return json.loads(text)["usage"].get("rgw.main", {}).get("size", 0)


def fill(root, options, size):
    for index in range(options.files):
        folder = root / f"d{index // options.per_folder}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{index}").write_bytes(os.urandom(size))


def sent(volume):
    return sum(
        value for name, value in volume.metrics().items()
        if "store_bytes_total" in name and 'direction="sent"' in name)


def measure(options, work, size):
    volume = Volume(work, options.cairn)
    log = Log()

    def row(what, before, now=sent):
        counts, bytes_sent = log.counted(), now(volume) - before
        total = sum(counts.values())
        parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        print(f"| {options.files} x {size} B | {what} | {total} | {bytes_sent:,} | {parts} |",
              flush=True)

    try:
        if options.put:
            fill(work / "tree", options, size)
            volume.stop()
            log.counted()
            start, clock = kept(), time.monotonic()
            volume.command("put", "-q", "-r", *sorted((work / "tree").iterdir()), "v:files")
            print(f"| {options.files} x {size} B | put, s | {time.monotonic() - clock:.0f} | | |")
            row("put", start, lambda _: kept())
            shutil.rmtree(work / "tree")
            volume.mount()
            os.listdir(volume.root / "d1")
            log.counted()
        else:
            start = sent(volume)
            fill(volume.root, options, size)
            volume.command("sync", "v")
            row("copied in", start)
        start = sent(volume)
        (volume.root / "d1" / f"file{options.per_folder}").write_bytes(os.urandom(size))
        volume.command("sync", "v")
        row("one changed", start)
        volume.forget()
        log.counted()
        for folder, _, names in os.walk(volume.root):
            for name in names[:1] if options.put else names:
                pathlib.Path(folder, name).read_bytes()
        row("read back, cold", sent(volume))
    finally:
        volume.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--per-folder", type=int, default=100)
    parser.add_argument("--put", action="store_true")
    parser.add_argument("--sizes", default="4096,100")
    options = parser.parse_args()
    options.cairn = os.path.abspath(options.cairn)
    run([os.environ["CAIRN_RGW_SCRIPT"], "make-bucket", os.environ["CAIRN_RGW"], BUCKET])
    print("| files | step | requests | bytes sent | of them |\n|---|---|---:|---:|---|")
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="cairn-requests-") as work:
            measure(options, pathlib.Path(work), size)


if __name__ == "__main__":
    main()
