#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Measures self-encryption beside the reference library, and compares the addresses both give.
#
#   speed      bytes in memory to addressed chunks and back, on two processors, in turns
#   addresses  how many chunks of real files get the same address from both
#   exchange   whether each reads what the other wrote, of real files
#
# The reference is the package `self-encryption` 0.30.266 for Python 3.7 (--reference names that
# Python); it writes generation 1 in chunks of 1 MiB. It runs this same file as a child. Generation
# 2 cannot be judged by it, but compresses by the same rules, and only compression can differ.
"""Compare Cairn's self-encryption with the reference library's."""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

REFERENCE_CHUNK_SIZE = 1 << 20
MAXIMUM_FILE_SIZE = 64 << 20
FILES_PER_CALL = 200


def best_rate(size, action):
    """Bytes a second of one call, and what it gave."""
    start = time.perf_counter()
    result = action()
    return size / (time.perf_counter() - start), result


def reference_speed(path, seconds):
    """In the reference's own Python: the same rounds that ChunkBench runs."""
    import self_encryption  # pylint: disable=import-error

    with open(path, "rb") as file:
        data = file.read()
    best = {"encrypt": 0, "decrypt": 0, "rounds": 0}
    end = time.monotonic() + seconds
    while best["rounds"] == 0 or time.monotonic() < end:
        rate, (data_map, chunks) = best_rate(
            len(data), lambda: self_encryption.encrypt_bytes(data))
        best["encrypt"] = max(best["encrypt"], int(rate))
        rate, plain = best_rate(
            len(data), lambda: self_encryption.decrypt_chunks(data_map, chunks))
        best["decrypt"] = max(best["decrypt"], int(rate))
        best["rounds"] += 1
        if len(plain) != len(data):
            raise SystemExit("the reference did not give the file back")
    print(json.dumps(best))


def reference_addresses():
    """In the reference's own Python: addresses of the files named on standard input."""
    import hashlib

    import self_encryption  # pylint: disable=import-error

    for line in sys.stdin:
        path = line.rstrip("\n")
        with open(path, "rb") as file:
            _, chunks = self_encryption.encrypt_bytes(file.read())
        digests = [hashlib.sha3_256(bytes(chunk.content)).hexdigest() for chunk in chunks]
        print("\t".join([path] + digests))


def reference_exchange():
    """In the reference's own Python: reads a file that Cairn wrote, writes the same one."""
    import self_encryption  # pylint: disable=import-error

    lines = sys.stdin.read().split("\n")
    # This release has no version byte before a map.
    data_map = self_encryption.DataMap.deserialize(bytes.fromhex(lines[0])[1:])
    chunks = [self_encryption.EncryptedChunk(bytes.fromhex(line)) for line in lines[1:] if line]
    plain = bytes(self_encryption.decrypt_chunks(data_map, chunks))
    data_map, chunks = self_encryption.encrypt_bytes(plain)
    print(plain.hex())
    print(bytes(data_map.serialize()).hex())
    for chunk in chunks:
        print(bytes(chunk.content).hex())


def exchange(arguments):
    """Every file there and back, both ways."""
    count = 0
    for path in sorted(corpus(arguments.folders))[::arguments.every]:
        with open(path, "rb") as file:
            plain = file.read().hex()
        for quality in ("autonomi", "fast"):
            ours = run([arguments.bench, "write", "v1", quality, REFERENCE_CHUNK_SIZE, path])
            read, theirs = run([arguments.reference, __file__, "reference-exchange"],
                               input=ours).split("\n", 1)
            again = run([arguments.bench, "decrypt", "v1"], input=theirs).strip()
            if plain != read or plain != again:
                raise SystemExit(f"{path} did not come back with {quality}")
            count += 1
    print(f"{count} exchanges, all whole")


def run(command, **options):
    """A program's output; its failure ends the benchmark."""
    return subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True,
        **options).stdout


def speed(arguments):
    """The table of rates and ratios."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        inputs = {"random": os.path.join(folder, "random"), "text": os.path.join(folder, "text")}
        with open(inputs["random"], "wb") as file:
            file.write(os.urandom(arguments.size))
        with open(inputs["text"], "wb") as file:
            for path in sorted(corpus(["/usr/include"])):
                with open(path, "rb") as part:
                    file.write(part.read())
                if file.tell() >= arguments.size:
                    break
            file.truncate(min(file.tell(), arguments.size))
        for name, path in inputs.items():
            rates = {}
            for _ in range(arguments.rounds):
                turns = {
                    "reference": [arguments.reference, __file__, "reference-speed", path,
                                  arguments.seconds],
                    "autonomi": [arguments.bench, "speed", "v2", "autonomi", 2,
                                 arguments.seconds, path],
                    "fast": [arguments.bench, "speed", "v2", "fast", 2, arguments.seconds, path],
                }
                for who, command in turns.items():
                    result = json.loads(run(command))
                    for way in ("encrypt", "decrypt"):
                        rates[who, way] = max(rates.get((who, way), 0), result[way])
            for who, way in (("autonomi", "encrypt"), ("fast", "encrypt"), ("autonomi", "decrypt")):
                base = rates["reference", way]
                label = f"{way}, `{who}`" if way == "encrypt" else way
                rows.append(f"| {label} | {name} | {rates[who, way] / 1e6:.0f} "
                            f"| {base / 1e6:.0f} | {rates[who, way] / base:.1f} |")
    print("| way | input | Cairn, MB/s | reference, MB/s | ratio |\n|---|---|---:|---:|---:|")
    print("\n".join(rows))


def corpus(folders):
    """Regular files that self-encryption takes, each once."""
    seen = set()
    for folder in folders:
        for base, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(base, name)
                if os.path.islink(path) or not os.path.isfile(path) or "\n" in path:
                    continue
                status = os.stat(path)
                key = (status.st_dev, status.st_ino)
                if key in seen or not 3 <= status.st_size <= MAXIMUM_FILE_SIZE:
                    continue
                seen.add(key)
                yield path


def texts(size):
    """Headers and documentation; again from the begin, cut into chunks elsewhere, if need be."""
    parts, count = [], 0
    for path in sorted(corpus(["/usr/include", "/usr/share/doc"])):
        with open(path, "rb") as file:
            data = file.read()
        # Compressed documentation is no text.
        if b"\0" in data[:4096]:
            continue
        parts.append(data)
        count += len(data)
        if count >= size:
            break
    if not count:
        sys.exit("bench: no text in /usr/include and /usr/share/doc")
    return (b"".join(parts) * (size // count + 1))[:size]


def addresses(arguments):
    """The table of equal addresses."""
    print("| files | chunks | equal chunks | whole files equal |\n|---|---:|---:|---:|")
    total = [0, 0, 0, 0]
    for folder in arguments.folders:
        paths = sorted(corpus([folder]))[::arguments.every]
        counts = [len(paths), 0, 0, 0]
        for start in range(0, len(paths), FILES_PER_CALL):
            part = paths[start:start + FILES_PER_CALL]
            theirs = run([arguments.reference, __file__, "reference-addresses"],
                         input="\n".join(part)).splitlines()
            ours = run([arguments.bench, "addresses", "v1", "autonomi", REFERENCE_CHUNK_SIZE,
                        *part]).splitlines()
            for left, right in zip(ours, theirs, strict=True):
                mine, others = left.split("\t"), right.split("\t")
                if mine[0] != others[0]:
                    raise SystemExit("the two do not speak of the same file")
                # Upper levels of a map follow the file's own chunks; the reference gives none, and
                # the file's own in whatever order they were done.
                mine = collections.Counter(mine[1:len(others)])
                equal = (mine & collections.Counter(others[1:])).total()
                counts[1] += len(others) - 1
                counts[2] += equal
                counts[3] += equal == len(others) - 1
        row(folder, counts)
        total = [a + b for a, b in zip(total, counts)]
    row("together", total)


def row(name, counts):
    """One line of the table."""
    files, chunks, equal, whole = counts
    print(f"| {name}, {files} files | {chunks} | {100 * equal / max(chunks, 1):.1f} % "
          f"| {100 * whole / max(files, 1):.1f} % |", flush=True)


def main():
    """The command line."""
    if sys.argv[1:2] == ["reference-speed"]:
        return reference_speed(sys.argv[2], float(sys.argv[3]))
    if sys.argv[1:2] == ["reference-addresses"]:
        return reference_addresses()
    if sys.argv[1:2] == ["reference-exchange"]:
        return reference_exchange()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "addresses", "exchange"])
    parser.add_argument("--bench", required=True, help="the built ChunkBench")
    parser.add_argument("--reference", required=True, help="a Python that has the library")
    parser.add_argument("--size", type=int, default=128 << 20, help="bytes of each input")
    parser.add_argument("--seconds", type=float, default=4, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="take one file of so many")
    parser.add_argument("folders", nargs="*", default=[
        "/usr/include", "/usr/share/doc", "/usr/bin", "/usr/lib/python3"])
    arguments = parser.parse_args()
    actions = {"speed": speed, "addresses": addresses, "exchange": exchange}
    return actions[arguments.what](arguments)


if __name__ == "__main__":
    main()
