#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
#   clients.py MOUNT COUNT ROUNDS
#
# As many processes at once as COUNT, each with a folder of its own and one that all share: they
# write, sync, read back, rename and remove. Prints what went wrong; nothing, if nothing did.

import hashlib
import multiprocessing
import os
import sys


def content(*seed):
    return hashlib.shake_128(repr(seed).encode()).digest(1000 + 30_000 * (seed[0] % 7))


def client(mount, number, rounds, failures):
    try:
        own = f"{mount}/files/clients/{number}"
        shared = f"{mount}/files/clients/shared"
        os.makedirs(own)
        for turn in range(rounds):
            data = content(number, turn)
            path = f"{own}/{turn}.new"
            with open(path, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(path, f"{shared}/{number}-{turn}")
            with open(f"{shared}/{number}-{turn}", "rb") as file:
                if file.read() != data:
                    failures.put(f"{number}: other bytes in round {turn}")
            if f"{number}-{turn}" not in os.listdir(shared):
                failures.put(f"{number}: not listed in round {turn}")
            if turn % 2:
                os.unlink(f"{shared}/{number}-{turn - 1}")
            with open(f"{mount}/scratchpads/client-{number}", "wb") as file:
                file.write(data[:2000])
    except OSError as error:
        failures.put(f"{number}: {error}")


def main(mount, count, rounds):
    os.makedirs(f"{mount}/files/clients/shared")
    failures = multiprocessing.SimpleQueue()
    clients = [
        multiprocessing.Process(target=client, args=(mount, number, rounds, failures))
        for number in range(count)
    ]
    for process in clients:
        process.start()
    for process in clients:
        process.join()
    while not failures.empty():
        print(failures.get())
    kept = {f"{number}-{turn}" for number in range(count) for turn in range(rounds) if turn % 2}
    found = set(os.listdir(f"{mount}/files/clients/shared"))
    if rounds % 2 == 0 and found != kept:
        print(f"{len(found ^ kept)} names of the shared folder are wrong")
    for name in sorted(found & kept):
        number, turn = map(int, name.split("-"))
        with open(f"{mount}/files/clients/shared/{name}", "rb") as file:
            if file.read() != content(number, turn):
                print(f"{name} has other bytes")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
