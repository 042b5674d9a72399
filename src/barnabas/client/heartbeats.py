"""A member's talk with a coordinator that shares out the group itself: epochs and heartbeats (KIP-848), whatever kind of group it is.

Owns: when a heartbeat is due, whether it has to say everything, what a refusal means. Doesn't own what heartbeats say (`consumer_group`, `share_group`,
`streams_group`).
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from barnabas.wire.errors import Error
from barnabas.wire.types import uuid_text

from .errors import KafkaError, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.wire.schema import Message

    from .group import Place

JOINING = 0
LEAVING = -1
LEAVING_FOR_A_WHILE = -2
_FENCED = (Error.FENCED_MEMBER_EPOCH, Error.UNKNOWN_MEMBER_ID)


class Heartbeats:
    """Of one member. `beat` often; a `place.generation` that is 0 again means that the member has lost what it had."""

    def __init__(self, place: Place, retry_backoff_ms: int) -> None:
        self._place = place
        self._backoff_s = retry_backoff_ms / 1000
        self._due_s = 0.0
        self._unsure = True
        place.member_id, place.generation = uuid_text(uuid4().bytes), JOINING

    def hurry(self) -> None:
        """There is something to say: the next heartbeat is due."""
        self._due_s = 0.0

    async def beat(self, request: Callable[[bool], Message]) -> Any | None:
        """The reply to a heartbeat, if one is due and answered. `request` is told whether to say everything. Raises KafkaError when the member may not be."""
        if time.monotonic() < self._due_s:
            return None
        place = self._place
        try:
            connection = await place.connection()
            reply = await connection.call(request(self._unsure or place.generation == JOINING))
            check(reply.error_code, reply.error_message)
        except KafkaError as error:
            place.after(error)
            self._unsure = True  # whether it arrived
            self._due_s = time.monotonic() + self._backoff_s
            if error.error in _FENCED:
                place.generation, place.assigned = JOINING, []
                self.hurry()
            elif not error.retriable:
                raise
            return None
        self._unsure = False
        place.member_id, place.generation = reply.member_id or place.member_id, reply.member_epoch
        self._due_s = time.monotonic() + reply.heartbeat_interval_ms / 1000
        return reply

    async def leave(self, farewell: Message) -> None:
        """Whoever isn't heard is missed when the session ends."""
        if self._place.generation > JOINING:
            with contextlib.suppress(KafkaError):
                await (await self._place.connection()).call(farewell)
        self._place.release()
