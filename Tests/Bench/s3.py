#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cairn against rclone mount, s3fs and two plain parallel clients, on one S3 server.

    Tests/Ceph/rgw run Tests/Bench/s3.py --cairn .build/release/cairn [--mib 1024] [--files 10000]

Four times each, in seconds: writing one large file and many small ones until the server has them,
and reading both back by a mount that has no cache; and the most memory that its process took. Of
several rounds, in which all take turns, the median counts. Needs root, rclone, s3fs and boto3; who
is not installed is left out. Everything is made in a temporary folder and removed again. With
--table the table is written into that file, between its two markers.

One program at a time, so that a machine need not be idle for long, all of them into one table:

    Tests/Ceph/rgw run Tests/Bench/s3.py --cairn CAIRN --only s3fs --files 300 --results FILE
    Tests/Ceph/rgw run Tests/Bench/s3.py --cairn CAIRN --only Cairn --results FILE --table TABLE

Who was given fewer small files than the others has it said in its cells, and is compared by the
file.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import shutil
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

import document
import gateway

BUCKET = "bench"
# One step of one program, in seconds; what takes longer is said so.
LIMIT = 300
ORDER = ("Cairn", "rclone mount", "s3fs", "plain: rclone copy", "plain: boto3")


def run(command, **options):
    return gateway.run(command, LIMIT, **options)


def timed(body):
    # What was written before is on its disk: it is nobody's who comes after.
    os.sync()
    start = time.monotonic()
    body()
    return time.monotonic() - start


def limited(body):
    """As `timed`; infinite for what does not come to an end within the limit."""
    try:
        return timed(body)
    except subprocess.TimeoutExpired:
        return float("inf")


def copy(source, target):
    run(["cp", "-r", str(source), str(target)])


def unmount(place):
    """Once nobody is in it: a copy that was ended may sit in its last request."""
    for attempt in range(60):
        if subprocess.run(["umount", str(place)], capture_output=True).returncode == 0:
            return
        time.sleep(0.5)
    sys.exit(f"s3.py: {place} cannot be unmounted")


def high_water(pid):
    """The most memory a process has had resident, in MiB."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def read(path):
    """Reads every file below a path, one after the other, as tar does."""
    for folder, _, names in os.walk(path) if path.is_dir() else [(path.parent, [], [path.name])]:
        for name in sorted(names):
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


class Cairn(gateway.Volume):
    name = "cairn"
    bucket, limit = BUCKET, LIMIT

    def __init__(self, work, options):
        super().__init__(work, options.cairn)

    def settle(self, size):
        self.command("sync", "v")

    def memory(self):
        lock = self.work / f"state{self.state}" / "volumes" / "v" / "lock"
        return high_water(int(lock.read_text().split()[0]))


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
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            text = run(["rclone", "--config", self.configuration, "size", "--json", self.place])
            if json.loads(text.stdout)["bytes"] >= size:
                return
            time.sleep(0.1)
        raise subprocess.TimeoutExpired("rclone", LIMIT)

    def memory(self):
        return high_water(self.process.pid)

    def forget(self):
        self.stop()
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        self.mount()

    def stop(self):
        unmount(self.root)
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
        self.process = subprocess.Popen(
            ["s3fs", BUCKET, self.root, "-f", "-o", f"passwd_file={self.keys}", "-o",
             f"url={os.environ['CAIRN_RGW_ENDPOINT']}", "-o", "use_path_request_style", "-o",
             "parallel_count=8"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not os.path.ismount(self.root):
            time.sleep(0.05)

    def settle(self, size):
        """s3fs uploads in close(2)."""

    def memory(self):
        return high_water(self.process.pid)

    def forget(self):
        self.stop()
        self.mount()

    def stop(self):
        unmount(self.root)
        self.process.wait(timeout=60)


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
            times = [limited(lambda: write(large)), limited(lambda: write(small))]
            memory = [subject.memory()]
            subject.forget()
            # What was not written whole is not there to be read whole.
            for source, written in zip((large, small), list(times)):
                times.append(float("inf") if written == float("inf")
                             else timed(lambda: read(subject.root / source.name)))
            memory.append(subject.memory())
        finally:
            try:
                subject.stop()
            finally:
                # Whatever went wrong: nothing below is removed through a mount.
                while os.path.ismount(work / "m"):
                    run(["umount", "-l", str(work / "m")])
        return times + [max(memory)]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def rclone_copy(large, small, work):
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
    try:
        return [timed(lambda: transfer(large, place)),
                timed(lambda: transfer(small, place + "/small")),
                timed(lambda: transfer(f"{place}/{large.name}", back)),
                timed(lambda: transfer(f"{place}/small", back / "small")), None]
    finally:
        shutil.rmtree(back, ignore_errors=True)


def boto(large, small, work):
    """boto3 as its manual has it: parts of 8 MiB, ten at once; small files by sixteen threads."""
    import boto3
    from botocore.config import Config
    client = boto3.client(
        "s3", endpoint_url=os.environ["CAIRN_RGW_ENDPOINT"], region_name="us-east-1",
        config=Config(max_pool_connections=16, s3={"addressing_style": "path"}))
    place, back = str(uuid.uuid4()), work / "back"
    back.mkdir()
    names = sorted(path.name for path in small.iterdir())

    def each(body):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for _ in pool.map(body, names):
                pass
    try:
        return [
            timed(lambda: client.upload_file(str(large), BUCKET, f"{place}/large")),
            timed(lambda: each(lambda name: client.put_object(
                Bucket=BUCKET, Key=f"{place}/small/{name}", Body=(small / name).read_bytes()))),
            timed(lambda: client.download_file(BUCKET, f"{place}/large", str(back / "large"))),
            timed(lambda: each(lambda name: (back / name).write_bytes(client.get_object(
                Bucket=BUCKET, Key=f"{place}/small/{name}")["Body"].read()))), None]
    finally:
        shutil.rmtree(back, ignore_errors=True)


def contestants(options):
    """Those that are here, in the order of the table."""
    found = {"Cairn": lambda large, small, work: measure(Cairn, large, small, options)}
    if shutil.which("rclone"):
        found["rclone mount"] = lambda large, small, work: measure(Rclone, large, small, options)
    if shutil.which("s3fs"):
        found["s3fs"] = lambda large, small, work: measure(S3FS, large, small, options)
    if shutil.which("rclone"):
        found["plain: rclone copy"] = rclone_copy
    try:
        import boto3  # noqa: F401
        found["plain: boto3"] = boto
    except ImportError:
        pass
    if options.only:
        found = {name: run for name, run in found.items() if name in options.only.split(",")}
    return found


def text(value, count=None):
    """Seconds, and for how many files if it is not for as many as the heading says."""
    if value is None:
        return ""
    seconds = f"> {LIMIT}" if value == float("inf") else f"{value:.1f}"
    return seconds if count is None else f"{seconds} ({count})"


def gather(path, results):
    """Adds the turns to those that the file has, if one is given, and gives them all."""
    known = document.earlier(path)
    for name, rounds in results.items():
        known.setdefault(name, []).extend(rounds)
    document.keep(path, known)
    # In the table's order, whatever the order of the turns.
    return {name: known[name] for name in ORDER if name in known}


def summary(rounds):
    """The medians of a program's times, its memory at most, and how many small files it had."""
    columns = list(zip(*(turn["times"] for turn in rounds)))
    # A process's memory is what it took at most.
    return ([statistics.median(column) for column in columns[:4]]
            + [max(columns[4]) if columns[4][0] is not None else None], rounds[0]["files"])


def table(results, options):
    """The whole text between the markers; ratios of Cairn to the best of the others."""
    turns = min(len(rounds) for rounds in results.values())
    lines = [
        f"Measured on {datetime.date.today()}, {os.cpu_count()} processors, load "
        f"{os.getloadavg()[0]:.1f} at the end, Linux {platform.release().split('-')[0]}, "
        + (f"medians of {turns} rounds" if turns > 1 else "one round")
        + " in which all take turns.", "",
        f"| s | write {options.mib} MiB | write {options.files} × 4 KiB | read {options.mib} MiB"
        " | read the small | memory, MiB |", "|---|---:|---:|---:|---:|---:|"]
    medians = {}
    for name, rounds in results.items():
        values, files = summary(rounds)
        count = None if files == options.files else files
        cells = [text(values[0]), text(values[1], count), text(values[2]), text(values[3], count),
                 "" if values[4] is None else f"{values[4]:.0f}"]
        # Small files are compared by the file.
        medians[name] = [values[0], values[1] / files, values[2], values[3] / files]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for title, plain in (("the better mount", False), ("the better plain client", True)):
        others = [times for name, times in medians.items()
                  if name != "Cairn" and name.startswith("plain") == plain]
        if others and "Cairn" in medians:
            ratios = [medians["Cairn"][at] / min(times[at] for times in others)
                      for at in range(4)]
            lines.append(f"| Cairn : {title} | "
                         + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " | |")
    return "\n".join(lines)


def main():
    # Ended from outside, it takes its mounts along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", required=True, type=os.path.abspath)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", help="names of the table, with commas")
    parser.add_argument(
        "--results", type=pathlib.Path, help="a file that gathers the turns of several runs")
    parser.add_argument("--table", type=pathlib.Path, help="a file with the two markers")
    options = parser.parse_args()
    unknown = set((options.only or ORDER[0]).split(",")) - set(ORDER)
    if unknown:
        parser.error(f"--only takes {', '.join(ORDER)}, not {', '.join(sorted(unknown))}")
    if "CAIRN_RGW" not in os.environ:
        sys.exit("s3.py: there is no S3 server: run it under Tests/Ceph/rgw run")
    # The server has no TLS, and rclone takes no other authorities of a machine's.
    os.environ.pop("AWS_CA_BUNDLE", None)
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
        results = {}
        for _ in range(options.rounds):
            for name, contestant in contestants(options).items():
                numbers = contestant(large, small, source)
                print(f"{name}: " + ", ".join(text(value) for value in numbers), flush=True)
                results.setdefault(name, []).append(
                    {"files": options.files, "times": numbers})
        document.write(options.table, "s3", table(gather(options.results, results), options))
    finally:
        shutil.rmtree(source, ignore_errors=True)


if __name__ == "__main__":
    main()
