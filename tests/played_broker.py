"""A broker that a test plays: registered with a real controller, and asked by real brokers what the test's own function then answers.

Owns: registration and heartbeats, the server's connections, frames. Doesn't own: what is answered.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.metadata.features import SUPPORTED
from barnabas.storage.meta_properties import MetaPropertiesEnsemble
from barnabas.wire.apis import API_VERSIONS, APIS
from barnabas.wire.framing import encode_response, read_request_header
from barnabas.wire.messages.api_versions import ApiVersionsResponse
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest
from tests.differential.transcript import Client, Closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.wire.schema import Message
    from tests.nodes import Node

    Answer = Callable[["Asked"], Message | None]

_BEAT_S = 0.2
_APPLIED = (1 << 62) - 1  # whatever the metadata has, this broker says that it has seen it


class Asked(NamedTuple):
    """A request as it came."""

    at_s: float
    connection: int
    client_id: str | None
    version: int
    request: Message


class PlayedBroker:
    """Use with `with`. `answer(asked)` gives a response, or None for none at all; it is called on a thread of the connection."""

    def __init__(self, node: Node, broker_id: int, answer: Answer) -> None:
        self.id = broker_id
        self.asked: list[Asked] = []
        self._answer = answer
        self._controller = Client(node.address("CONTROLLER")[1])
        self._cluster_id = next(iter(MetaPropertiesEnsemble.load([str(node.log_dir)]).found.values())).cluster_id
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat_on, daemon=True)
        self.epoch = -1

    def __enter__(self) -> PlayedBroker:
        request = BrokerRegistrationRequest
        answer = self._controller.call(
            request(
                broker_id=self.id,
                cluster_id=self._cluster_id,
                incarnation_id=os.urandom(16),
                listeners=[request.Listener(name="PLAINTEXT", host="127.0.0.1", port=self._listener.getsockname()[1], security_protocol=0)],
                features=[
                    request.Feature(name=name, min_supported_version=least, max_supported_version=most) for name, (least, most) in SUPPORTED.items()
                ],
                rack=None,
                log_dirs=[os.urandom(16)],
            ),
            4,
        )
        assert answer.error_code == 0, answer
        self.epoch = answer.broker_epoch
        deadline = time.monotonic() + 30
        while self._beat():
            assert time.monotonic() < deadline, "not unfenced"
            time.sleep(0.02)
        self._beating.start()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._beating.join()
        self._controller.close()

    def _beat(self) -> bool:
        """Whether it is fenced."""
        request = BrokerHeartbeatRequest(
            broker_id=self.id, broker_epoch=self.epoch, current_metadata_offset=_APPLIED, want_fence=False, want_shut_down=False
        )
        return bool(self._controller.call(request, 1).is_fenced)

    def _beat_on(self) -> None:
        with suppress(OSError, Closed):  # the node may end before the story does
            while not self._ended.wait(_BEAT_S):
                self._beat()

    def _accept(self) -> None:
        with suppress(OSError):
            for number in range(1_000_000):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(number, connection), daemon=True).start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        with suppress(OSError, EOFError, Empty), connection:  # Empty: the story is over, nobody answers any more
            while not self._ended.is_set():
                frame = _read(connection, int.from_bytes(_read(connection, 4), "big"))
                key, version = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
                api = APIS[key]
                header = read_request_header(frame, version >= api.flexible_since)
                request = api.request().decode_from(frame, version, header.body)[0]
                if key == API_VERSIONS:
                    response: Message | None = _versions()
                else:
                    asked = Asked(time.monotonic(), number, header.client_id, version, request)
                    self.asked.append(asked)
                    response = self._answer(asked)
                if response is not None:
                    connection.sendall(encode_response(api, version, header.correlation_id, response))


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _versions() -> ApiVersionsResponse:
    rows = [ApiVersionsResponse.ApiVersion(api_key=api.key, min_version=api.first, max_version=api.last) for api in APIS.values()]
    return ApiVersionsResponse(error_code=0, api_keys=rows, throttle_time_ms=0)
