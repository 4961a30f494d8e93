#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# The network's own client (PyPI aleph-sdk-python 2.4.0) against a node of the tests: reads what
# Cairn wrote, and writes what Cairn is to read. Run by SDKInteropTests, which checks the output.
#
# usage: aleph-sdk.py URL PHASE WORK.json
#   read:  WORK names messages and files of Cairn's; exits with 0 if all are as they should be
#   write: publishes, and prints as JSON what it published

import asyncio
import hashlib
import json
import sys

from aleph.sdk.chains.ethereum import ETHAccount
from aleph.sdk.chains.solana import SOLAccount
from aleph.sdk.client.authenticated_http import AuthenticatedAlephHttpClient
from aleph.sdk.query.filters import MessageFilter
from aleph_message.models import MessageType
from aleph_message.status import MessageStatus


def account(kind, secret):
    return (SOLAccount if kind == "SOL" else ETHAccount)(bytes.fromhex(secret))


async def read(url, work):
    me = account(work["kind"], work["secret"])
    async with AuthenticatedAlephHttpClient(account=me, api_server=url) as client:
        post = await client.get_message(work["post"])
        assert post.content.content == {"title": "héllo", "n": 1.5}, post
        assert post.sender == work["sender"], post.sender
        aggregate = await client.fetch_aggregate(work["sender"], "users")
        assert aggregate == {"a": {"x": 1}, "b": 2}, aggregate
        messages = await client.get_messages(
            message_filter=MessageFilter(tags=["interop"], message_types=[MessageType.store])
        )
        assert [m.item_hash for m in messages.messages] == [work["store"]], messages
        content = await client.download_file(messages.messages[0].content.item_hash)
        assert hashlib.sha256(content).hexdigest() == work["sha256"]
        assert messages.messages[0].content.metadata == {"name": "a.bin"}, messages
        sealed = await client.download_file(work["sealed"])
        assert (await me.decrypt(sealed)) == b"for your eyes", "sealed by Cairn"


async def write(url, work):
    me = account(work["kind"], work["secret"])
    result = {"sender": me.get_address()}
    async with AuthenticatedAlephHttpClient(account=me, api_server=url) as client:
        post, status = await client.create_post(
            {"from": "sdk", "tags": ["sdk"]}, post_type="note", channel="SDK", sync=True
        )
        assert status == MessageStatus.PROCESSED, status
        result["post"] = str(post.item_hash)
        amend, status = await client.create_post(
            {"from": "sdk", "v": 2}, post_type="amend", ref=str(post.item_hash), sync=True
        )
        assert status == MessageStatus.PROCESSED, status
        result["amend"] = str(amend.item_hash)
        aggregate, status = await client.create_aggregate("sdk", {"k": [1, 2]}, sync=True)
        assert status == MessageStatus.PROCESSED, status
        result["aggregate"] = str(aggregate.item_hash)
        store, status = await client.create_store(
            file_content=b"stored by the sdk", ref="sdk-file", sync=True
        )
        result["store"] = str(store.item_hash)
        large, status = await client.create_post(
            {"text": "x" * 60000}, post_type="large", sync=True
        )
        assert status == MessageStatus.PROCESSED, status
        result["large"] = str(large.item_hash)
        reader = account(work["kind"], work["reader"])
        sealed = await reader.encrypt(b"sealed by the sdk")
        result["sealed"] = sealed.hex()
        forget, status = await client.forget([post.item_hash], reason="test", sync=True)
        assert status == MessageStatus.PROCESSED, status
        result["forget"] = str(forget.item_hash)
    print(json.dumps(result))


if __name__ == "__main__":
    url, phase, path = sys.argv[1:]
    with open(path) as file:
        work = json.load(file)
    asyncio.run({"read": read, "write": write}[phase](url, work))
