#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# The network's own client (PyPI aleph-sdk-python 2.4.0) against a node of the tests that the built
# command wrote to: packs of a volume, stored files, parts of large ones, letters, and what programs
# saved in aleph/me/. And the other way: it publishes what the command and a mount are to show.
# Nothing of Cairn is imported here: formats are read as docs/aleph.md and docs/format.md have them.
# Run by AlephInteropTests.
#
# usage: aleph-volume.py URL PHASE WORK.json
#   read:  exits with 0 if all that WORK names is as it should be; prints how much that was
#   write: publishes, and prints as JSON what it published

import asyncio
import base64
import hashlib
import json
import struct
import sys

from aleph.sdk.chains.ethereum import ETHAccount
from aleph.sdk.chains.solana import SOLAccount
from aleph.sdk.client.authenticated_http import AuthenticatedAlephHttpClient
from aleph.sdk.query.filters import MessageFilter, PostFilter
from aleph_message.models import MessageType
from aleph_message.models.execution.base import Payment, PaymentType
from aleph_message.status import MessageStatus

try:
    from blake3 import blake3
except ImportError:
    blake3 = None


def account(kind, secret):
    return (SOLAccount if kind == "SOL" else ETHAccount)(bytes.fromhex(secret))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def chunks_of(listing):
    """The list of a pack, docs/format.md section 27: (algorithm, digest, size) of each chunk."""
    assert listing[0] == 1, "version"
    count, at = varint(listing, 1)
    entries = []
    for _ in range(count):
        entries.append(
            (listing[at], listing[at + 1 : at + 33], struct.unpack_from("<I", listing, at + 33)[0])
        )
        at += 37
    assert at == len(listing), "something behind the list"
    return entries


async def stores(client, **filters):
    found = await client.get_messages(
        message_filter=MessageFilter(message_types=[MessageType.store], **filters)
    )
    return found.messages


async def read_packs(client):
    """Every pack, byte for byte: its chunks lie in it without gaps, each under its own digest."""
    packs = await stores(client, tags=["cairn-pack"])
    checked = 0
    for message in packs:
        data = await client.download_file(message.content.item_hash)
        assert sha256(data) == message.content.item_hash
        at = 0
        for algorithm, digest, size in chunks_of(
            base64.b64decode(message.content.metadata["cairn-pack"])
        ):
            chunk = data[at : at + size]
            at += size
            if algorithm == 2:
                assert hashlib.sha3_256(chunk).digest() == digest, "a chunk's digest"
                checked += 1
            elif algorithm == 1 and blake3:
                assert blake3(chunk).digest() == digest, "a chunk's digest"
                checked += 1
        assert at == len(data), "bytes that no chunk has"
    return len(packs), checked


async def read_large(client, work):
    """A file in parts, by its manifest: docs/format.md section 28."""
    manifest = (await client.get_message(work["large"])).content
    assert manifest.type == "cairn-large-file"
    manifest = manifest.content
    data = b"".join([await client.download_file(part) for part in manifest["parts"]])
    assert len(manifest["parts"]) > 1
    assert len(data) == manifest["size"] and sha256(data) == manifest["sha256"]
    assert sha256(data) == work["large_sha256"]
    message = await client.get_message(work["small"])
    assert sha256(await client.download_file(message.content.item_hash)) == work["small_sha256"]
    assert message.content.metadata["name"] == "small.bin", message.content.metadata


async def read_tree(client, work, me):
    """What programs saved in aleph/me/."""
    named = [
        m
        for m in await stores(client, addresses=[me])
        if (m.content.metadata or {}).get("name") == "report.txt"
    ]
    assert len(named) == 1, named
    metadata = named[0].content.metadata
    assert metadata["mime_type"] == "text/plain" and metadata["size"] == 14, metadata
    assert set(named[0].content.tags) == {"photo", "2026"}, named[0].content
    assert await client.download_file(named[0].content.item_hash) == b"from a program"
    posts = await client.get_posts(post_filter=PostFilter(addresses=[me], types=["cairn-post"]))
    assert [p.content for p in posts.posts] == [{"text": "edited"}], posts
    settings = await client.fetch_aggregate(me, "settings")
    # A removed key is a tombstone, which the network keeps.
    assert settings == {"a": 2, "b": [1, 2], "gone": None}, settings


async def read_letter(client, work, reader):
    """A letter, opened with nothing but the reader's key: docs/aleph.md section 2."""
    content = (await client.get_message(work["letter"])).content.content
    assert content["v"] == 1 and content["to"] == reader.get_address(), content
    sealed = base64.b64decode(content["data"])
    assert await reader.decrypt(sealed) == b"for one reader\n"
    about = json.loads(await reader.decrypt(base64.b64decode(content["about"])))
    assert about["name"] == "letter.txt" and about["sha256"] == sha256(sealed), about


async def read(url, work):
    me = account(work["kind"], work["secret"])
    reader = account(work["kind"], work["reader"])
    async with AuthenticatedAlephHttpClient(account=me, api_server=url) as client:
        packs, checked = await read_packs(client)
        assert packs >= 2, packs
        await read_large(client, work)
        await read_tree(client, work, work["address"])
        await read_letter(client, work, reader)
    print(f"{packs} packs, {checked} chunks checked by their digests")


async def write(url, work):
    writer = account(work["kind"], work["reader"])
    result = {"writer": writer.get_address()}
    async with AuthenticatedAlephHttpClient(account=writer, api_server=url) as client:
        post, status = await client.create_post(
            {"title": "from the sdk", "tags": ["sdk", "2026"]}, post_type="note", sync=True
        )
        assert status == MessageStatus.PROCESSED, status
        result["post"] = str(post.item_hash)
        for name, age in (("ada", 36), ("bob", 20), ("cyd", 51)):
            _, status = await client.create_aggregate("users", {name: {"age": age}}, sync=True)
            assert status == MessageStatus.PROCESSED, status
        store, _ = await client.create_store(
            file_content=b"stored by the sdk",
            extra_fields={"tags": ["sdk"], "metadata": {"filename": "sdk.txt", "size": 17}},
            payment=Payment(chain=work["kind"], type=PaymentType.credit),
        )
        result["store"] = str(store.item_hash)
        # A letter of the form that docs/aleph.md section 2 tells, sealed by the reader's own tools.
        to = account(work["kind"], work["secret"])
        sealed = await to.encrypt(b"sealed by the sdk\n")
        about = {"name": "sdk.txt", "from": writer.get_address(), "sha256": sha256(sealed)}
        letter = {
            "v": 1,
            "to": to.get_address(),
            "size": 18,
            "data": base64.b64encode(sealed).decode(),
            "about": base64.b64encode(await to.encrypt(json.dumps(about).encode())).decode(),
            "tags": ["cairn-letter", "to:" + to.get_address()],
        }
        message, status = await client.create_post(letter, post_type="cairn-letter", sync=True)
        assert status == MessageStatus.PROCESSED, status
        result["letter"] = str(message.item_hash)
    print(json.dumps(result))


if __name__ == "__main__":
    url, phase, path = sys.argv[1:]
    with open(path) as file:
        work = json.load(file)
    asyncio.run({"read": read, "write": write}[phase](url, work))
