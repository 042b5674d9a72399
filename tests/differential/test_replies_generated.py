"""Requests made up from a seed, one after the other to Apache Kafka and to Barnabas: every API of one node's clients, in every version, is answered the same.

REQUESTS=100000 SEED=7 says how many, and which; a failure names the seed.
"""

from __future__ import annotations

import difflib
import os
import pprint
import random
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.types import uuid_text
from tests.differential.generated import GROUPS, TOPICS, Generated
from tests.differential.transcript import Closed, Transcript, wait_for_coordinators, with_topics_once
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.wire.schema import Message, Struct
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

REQUESTS = int(os.environ.get("REQUESTS", "700"))
SEED = int(os.environ.get("SEED", "1"))
MADE = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23, 32, 33, 34, 35, 37, 42, 43, 44, 45, 46, 47, 55, 60, 61, 74, 75]
CHANGES = {33, 44}  # of configs, which are answered before they are in force, and judge what is produced
READS = {1, 2, 3, 9, 10, 15, 16, 23, 32, 35, 46, 60, 61, 74, 75}
_LOOK_AGAIN_S = 15.0
_UNLIKE = {"documentation": "text", "usable_bytes": 1, "producer_id": 7}  # what may differ, and what stands for it


class Asked:
    """One node, what it was asked, and names for what it makes up."""

    def __init__(self, script: Transcript) -> None:
        self.script = script
        self.ids = {
            name: script.create_topic(name, count, {"cleanup.policy": "compact"} if name == "made-compacted" else {})
            for name, count in TOPICS.items()
        }
        self.made = Generated(self.ids)
        wait_until(lambda: script.client.call(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 4).error_code == 0)
        wait_for_coordinators(script.client, *filter(None, GROUPS))

    def ask(self, request: Message, version: int) -> str:
        """The reply as text, the same for both nodes if they answer the same."""
        try:
            reply = self.script.client.call(request, version)
        except (Closed, TimeoutError) as failure:
            self.script.reconnect()
            return type(failure).__name__
        group = getattr(request, "group_id", "")
        if getattr(reply, "member_id", "") and type(reply).__name__ == "JoinGroupResponse" and reply.error_code in (0, Error.MEMBER_ID_REQUIRED):
            self.made.members[group] = reply.member_id
        _level(reply)
        shown = pprint.pformat(self.script.normal("", with_topics_once(reply)), width=150, sort_dicts=False)
        for number, member in enumerate(self.made.members.values()):
            shown = shown.replace(member, f"member {number}")
        for name, topic_id in self.ids.items():
            shown = shown.replace(uuid_text(topic_id), f"id of {name}")
        node = self.script.node
        for what, name in ((node.address("CONTROLLER")[1], "controller's port"), (node.port, "port"), (node.log_dir, "log directory")):
            shown = shown.replace(str(what), name)
        return shown


def _level(part: Struct) -> None:
    for field in part.fields:
        value = getattr(part, field.name)
        if field.name in _UNLIKE and value not in (None, -1):
            setattr(part, field.name, _UNLIKE[field.name])
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "fields"):
                _level(each)


def _difference(theirs: str, ours: str) -> str:
    return "\n".join(difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "Apache Kafka", "Barnabas", n=2, lineterm=""))


def test_the_same_replies(apache_nodes: Callable[[], Node], barnabas_nodes: Callable[[], Node]) -> None:
    with Transcript(apache_nodes()) as theirs, Transcript(barnabas_nodes()) as ours:
        differing, asked = _compare([Asked(theirs), Asked(ours)])
    assert not differing, "\n".join(differing)[:20_000]
    assert REQUESTS < 700 or len(asked) > 100, f"only {len(asked)} versions of APIs were asked for"


def _compare(both: list[Asked]) -> tuple[list[str], set[tuple[str, int]]]:
    """What was answered differently, and what was asked."""
    differing: list[str] = []
    asked: set[tuple[str, int]] = set()
    plan = random.Random(SEED)
    for number in range(REQUESTS):
        api = APIS[plan.choice(MADE)]
        version, seed = plan.randint(api.first, api.last), plan.random()
        requests = [each.made.request(api, version, seed) for each in both]
        answers = [each.ask(request, version) for each, request in zip(both, requests, strict=True)]
        deadline = time.monotonic() + _LOOK_AGAIN_S
        while answers[0] != answers[1] and api.key in READS and time.monotonic() < deadline:  # what was changed last may not be everywhere
            time.sleep(0.1)
            answers = [each.ask(request, version) for each, request in zip(both, requests, strict=True)]
        if api.key in CHANGES and "'error_code': 0" in answers[0]:
            for each in both:
                each.script.settle()
        asked.add((api.name, version))
        if answers[0] != answers[1]:
            differing.append(f"== {number}: {api.name} {version}, seed {SEED}\n{requests[1]}\n{_difference(*answers)}\n")
            if len(differing) == 20:
                break
    return differing, asked
