"""Two nodes in lockstep: whatever is done to one is done to the other, and after each step both must have answered the same, on the same connections.

Owns: connections whose requests may be parked (a Fetch that waits for data, a JoinGroup that waits for others), waiting until both nodes have come to rest,
replies as text without what may differ (ids, times, what is compressed), and the play of seeded steps. Doesn't own what the steps are: `history_*.py`.
"""

from __future__ import annotations

import difflib
import pprint
import random
import select
import time
from typing import TYPE_CHECKING, Any

from barnabas.wire.apis import APIS
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.records.batch import LOG_APPEND_TIME, iterate_headers
from barnabas.wire.records.record import decode_records
from barnabas.wire.types import uuid_text
from tests.differential.transcript import Client, Closed, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.wire.schema import Message
    from tests.nodes import Node

_QUIET_LOOKS = 15  # for answers, with nothing new: counted, since a machine that stands still lets time pass for all
_TOO_LONG_S = 15.0


class Line(Client):
    """One connection; `waits` holds what was asked and isn't answered."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.waits: tuple[Message, int] | None = None

    def ask(self, request: Message, version: int) -> None:
        assert self.waits is None, "asked twice"
        self.correlation += 1
        self.waits = request, version
        self.socket.sendall(encode_request(APIS[request.api_key], version, self.correlation, "history", request))

    def is_readable(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def answer(self) -> Any:
        """The reply to what was asked. Raises Closed."""
        assert self.waits is not None
        (request, version), self.waits = self.waits, None
        api = APIS[request.api_key]
        body = self.read_frame()
        correlation, position = read_response_header(body, api, version)
        assert correlation == self.correlation, f"asked as {self.correlation}, answered as {correlation}"
        reply, end = api.response().decode_from(body, version, position)
        assert end == len(body), f"{len(body) - end} bytes behind the reply"
        return reply


class _Script(Transcript):
    """Batches by what they say, not by their bytes: either engine compresses in its own way."""

    def normal(self, field: str, value: Any) -> Any:
        return Records(bytes(value)) if field == "records" and value is not None else super().normal(field, value)


class World:
    """One node, its connections, and the names of what it made up. Subclasses have the steps: methods that are named step_*."""

    def __init__(self, node: Node, lines: int) -> None:
        self.node = node
        self.script = _Script(node)
        self.lines: list[Line] = [Line(node.port) for _ in range(lines)]
        self.names: dict[str, str] = {}  # text in replies -> what stands for it
        self.seen: dict[int, list[tuple[str, Any]]] = {}  # connection -> what came on it in this step
        self.asked: list[str] = []  # in this step
        self.random = random.Random()

    def close(self) -> None:
        self.script.client.close()
        for line in self.lines:
            line.close()

    def before_stop(self, *, is_kill: bool) -> None:
        """For subclasses: the node will be stopped, or killed."""

    def reconnect(self) -> None:
        """The node was started again: what waited is gone with the connections."""
        self.script.reconnect()
        for number, line in enumerate(self.lines):
            line.close()
            self.lines[number] = Line(self.node.port)

    def free_lines(self) -> list[int]:
        return [number for number, line in enumerate(self.lines) if line.waits is None]

    def waiting(self) -> list[int]:
        return [number for number, line in enumerate(self.lines) if line.waits is not None]

    def ask(self, number: int, request: Message, version: int) -> None:
        self.asked.append(f"[{number}] asks {version}: {request}")
        self.lines[number].ask(request, version)

    def call(self, number: int, request: Message, version: int) -> Any:
        """Asks, waits for the answer and notes it; None if the connection was closed instead."""
        self.ask(number, request, version)
        return self.take(number)

    def take(self, number: int) -> Any:
        line = self.lines[number]
        assert line.waits is not None
        request, version = line.waits
        reply, outcome = None, ""
        try:
            reply = line.answer()
        except Closed:
            outcome = "closed"
        except TimeoutError:
            outcome = "no answer"
        if reply is None:
            line.close()
            self.lines[number] = Line(self.node.port)
        self.seen.setdefault(number, []).append((f"{type(request).__name__.removesuffix('Request')} {version}: {outcome}", reply))
        if reply is not None:
            self.answered(number, request, version, reply)
        return reply

    def answered(self, number: int, request: Message, version: int, reply: Any) -> None:
        """For subclasses: what is to be learned from a reply."""

    def poll(self) -> None:
        for number in self.waiting():
            if self.lines[number].is_readable():
                self.take(number)

    def note(self, text: str) -> None:
        self.seen.setdefault(-1, []).append((text, None))

    def shown(self) -> str:
        """All that came in this step, once it is known who is who."""
        found = [(number, title + ("" if reply is None else self.text(reply))) for number, seen in sorted(self.seen.items()) for title, reply in seen]
        return "\n".join(f"[{number}] {line}" for number, text in found for line in text.splitlines())

    def text(self, reply: Any) -> str:
        shown = pprint.pformat(self.script.normal("", self.plain(reply)), width=150, sort_dicts=False)
        for told, name in self.names.items():
            shown = shown.replace(told, name)
        return shown.replace(str(self.node.port), "the node's port")

    def plain(self, reply: Any) -> Any:
        """For subclasses: the reply without what may differ."""
        return reply

    def know_topic(self, name: str, topic_id: bytes, generation: int) -> None:
        self.script.names[topic_id] = f"id {generation} of {name}"
        self.names[uuid_text(topic_id)] = f"id {generation} of {name}"


class Records:
    """What a Fetch brought, as text: every batch with its records, without what depends on who compressed it."""

    def __init__(self, data: bytes) -> None:
        self.batches = []
        position = 0
        for _, header in iterate_headers(data):
            whole = data[position : position + header.size]
            position += header.size
            stamped = bool(header.attributes & LOG_APPEND_TIME)
            shown = header._asdict() | {"crc": "", "length": ""} | ({"max_timestamp": "stamped"} if stamped else {})
            self.batches.append((shown, [tuple(r)[:1] + (("stamped",) if stamped else tuple(r)[1:2]) + tuple(r)[2:] for r in decode_records(whole)]))

    def __repr__(self) -> str:
        return pprint.pformat(self.batches, width=150, sort_dicts=False)


def rest(worlds: Sequence[World]) -> bool:
    """Until no node answers any more, and both have the same requests open. False: one has answered what the other hasn't."""
    end = time.monotonic() + _TOO_LONG_S
    quiet = 0
    before: list[Any] = []
    while True:
        for world in worlds:
            world.poll()
        now = [(world.waiting(), {number: len(seen) for number, seen in world.seen.items()}) for world in worlds]
        if now != before:
            before, quiet = now, 0
        is_same = all(world.waiting() == worlds[0].waiting() for world in worlds)
        if not worlds[0].waiting() and is_same:
            return True
        if is_same and quiet > _QUIET_LOOKS:
            return True
        quiet += 1
        if time.monotonic() > end:
            return False
        time.sleep(0.002)


def play(worlds: Sequence[World], seed: int, steps: int, kinds: dict[str, int], tell: Callable[[str], object] | None = None) -> str:
    """Runs `steps` steps of `seed`; what was different first, "" if nothing was. `kinds`: step -> weight; `tell` is told of each."""
    plan = random.Random(seed)
    story: list[str] = []
    for number in range(steps):
        kind, inner = plan.choices(list(kinds), list(kinds.values()))[0], plan.random()
        for world in worlds:
            world.seen, world.asked = {}, []
            world.random.seed(inner)
        for world in worlds:
            getattr(world, f"step_{kind}")()
        is_same = rest(worlds)
        theirs, ours = (world.shown() for world in worlds)
        story.append("\n".join([f"{number} {kind}", *worlds[0].asked, theirs]))
        if tell is not None:
            tell(story[-1])
        if not is_same or theirs != ours:
            difference = "\n".join(difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "Apache Kafka", "Barnabas", n=30, lineterm=""))
            open_requests = "" if is_same else f"\nopen: {worlds[0].waiting()} with Apache Kafka, {worlds[1].waiting()} with Barnabas"
            return "\n".join([f"seed {seed}, step {number}", *story[-12:-1], f"=== {number} {kind}", *worlds[0].asked, difference + open_requests])
    return ""
