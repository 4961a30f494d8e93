#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cairn against rclone mount, s3fs and a plain parallel copy, on one S3 server.

    Tests/Ceph/rgw run Tests/Bench/s3.py --cairn .build/release/cairn [--mib 1024] [--files 10000]

Four numbers each, in seconds: writing one large file and many small ones until the server has them,
and reading both back by a mount that has no cache. Needs root, rclone and s3fs; who is not
installed is left out. Everything is made in a temporary folder and removed again.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

BUCKET = "bench"
# One run of one program; a hang is a failure.
LIMIT = 900


def run(command, **options):
    """Runs a program to its end; its failure is ours."""
    return subprocess.run(command, check=True, timeout=LIMIT, capture_output=True, **options)


def timed(body):
    start = time.monotonic()
    body()
    return time.monotonic() - start


def copy(source, target):
    run(["cp", "-r", str(source), str(target)])


def read(path):
    """Reads every file below a path, one after the other, as tar does."""
    for folder, _, names in os.walk(path) if path.is_dir() else [(path.parent, [], [path.name])]:
        for name in sorted(names):
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


class Cairn:
    name = "cairn"

    def __init__(self, work, options):
        self.binary, self.work = options.cairn, work
        self.url = f"s3://{BUCKET}/{uuid.uuid4()}?endpoint={os.environ['CAIRN_RGW_ENDPOINT']}"
        self.state = 0
        self.phrase = self.command("init", "v", "--store", self.url).stdout
        self.mount()

    def command(self, *words, text=None):
        environment = {**os.environ, "CAIRN_STATE": str(self.work / f"state{self.state}")}
        return run([self.binary, *words], env=environment, input=text)

    def mount(self):
        (self.work / "m").mkdir(exist_ok=True)
        self.command("mount", "v", str(self.work / "m"))
        self.root = self.work / "m" / "files"

    def settle(self, size):
        self.command("sync", "v")

    def forget(self):
        self.stop()
        self.state += 1
        self.command("recover", "v", "--store", self.url, text=self.phrase)
        self.mount()

    def stop(self):
        self.command("unmount", "v")


class Rclone:
    name = "rclone mount"

    def __init__(self, work, options):
        self.work, self.place = work, f"s3:{BUCKET}/{uuid.uuid4()}"
        self.configuration = work / "rclone.conf"
        self.configuration.write_text(
            "[s3]\ntype = s3\nprovider = Ceph\n"
            f"access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
            f"secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
            f"endpoint = {os.environ['CAIRN_RGW_ENDPOINT']}\n")
        self.mount()

    def mount(self):
        self.root = self.work / "m"
        self.root.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["rclone", "--config", self.configuration, "mount", self.place, self.root,
             "--vfs-cache-mode", "full", "--vfs-write-back", "0s", "--transfers", "8",
             "--cache-dir", self.work / "cache"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not os.path.ismount(self.root):
            time.sleep(0.05)

    def settle(self, size):
        """Its own counters are zero before it has begun: what the server has is what counts."""
        while True:
            text = run(["rclone", "--config", self.configuration, "size", "--json", self.place])
            if json.loads(text.stdout)["bytes"] >= size:
                return
            time.sleep(0.1)

    def forget(self):
        self.stop()
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        self.mount()

    def stop(self):
        run(["umount", str(self.root)])
        self.process.wait(timeout=60)


class S3FS:
    name = "s3fs"

    def __init__(self, work, options):
        self.work = work
        self.keys = work / "s3fs.keys"
        self.keys.touch(mode=0o600)
        self.keys.write_text(
            f"{os.environ['AWS_ACCESS_KEY_ID']}:{os.environ['AWS_SECRET_ACCESS_KEY']}")
        self.mount()

    def mount(self):
        self.root = self.work / "m"
        self.root.mkdir(exist_ok=True)
        run(["s3fs", BUCKET, self.root, "-o", f"passwd_file={self.keys}", "-o",
             f"url={os.environ['CAIRN_RGW_ENDPOINT']}", "-o", "use_path_request_style", "-o",
             "parallel_count=8"])

    def settle(self, size):
        """s3fs uploads in close(2)."""

    def forget(self):
        self.stop()
        self.mount()

    def stop(self):
        run(["umount", str(self.root)])


def measure(kind, large, small, options):
    work = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench-"))
    try:
        subject = kind(work, options)
        try:
            total = 0

            def write(source):
                nonlocal total
                copy(source, subject.root)
                total += sum(p.stat().st_size for p in [source, *source.rglob("*")] if p.is_file())
                subject.settle(total)
            times = [timed(lambda: write(large)), timed(lambda: write(small))]
            subject.forget()
            times += [timed(lambda: read(subject.root / large.name)),
                      timed(lambda: read(subject.root / small.name))]
        finally:
            subject.stop()
        return times
    finally:
        shutil.rmtree(work, ignore_errors=True)


def plain(large, small, work):
    """rclone copy: no mount, no encryption, eight transfers at once."""
    configuration = work / "rclone.conf"
    place = f"s3:{BUCKET}/{uuid.uuid4()}"
    configuration.write_text(
        "[s3]\ntype = s3\nprovider = Ceph\n"
        f"access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
        f"secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
        f"endpoint = {os.environ['CAIRN_RGW_ENDPOINT']}\n")

    def transfer(source, target):
        run(["rclone", "--config", configuration, "copy", source, target, "--transfers", "8",
             "--s3-upload-concurrency", "8", "--multi-thread-streams", "8"])
    back = work / "back"
    times = [timed(lambda: transfer(large, place)), timed(lambda: transfer(small, place + "/small"))]
    times += [timed(lambda: transfer(f"{place}/{large.name}", back)),
              timed(lambda: transfer(f"{place}/small", back / "small"))]
    return times


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", required=True, type=os.path.abspath)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    script, folder = os.environ["CAIRN_RGW_SCRIPT"], os.environ["CAIRN_RGW"]
    run([script, "make-bucket", folder, BUCKET])
    source = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench-"))
    try:
        large, small = source / "large", source / "small"
        with open(large, "wb") as file:
            for _ in range(options.mib):
                file.write(os.urandom(1 << 20))
        small.mkdir()
        for index in range(options.files):
            (small / f"{index:05}").write_bytes(os.urandom(4096))
        print(f"| s | write {options.mib} MiB | write {options.files} × 4 KiB | read {options.mib} MiB"
              " | read the small |\n|---|---:|---:|---:|---:|", flush=True)

        def row(name, times):
            print(f"| {name} | " + " | ".join(f"{t:.1f}" for t in times) + " |", flush=True)
        row(Cairn.name, measure(Cairn, large, small, options))
        if shutil.which("rclone"):
            row(Rclone.name, measure(Rclone, large, small, options))
            row("plain copy", plain(large, small, source))
        if shutil.which("s3fs"):
            row(S3FS.name, measure(S3FS, large, small, options))
    finally:
        shutil.rmtree(source, ignore_errors=True)


if __name__ == "__main__":
    main()
