"""This node's life as a broker: registered, heard of again and again, taken out of service before it stops (C11-C31).

Owns the incarnation, the broker's epoch, which heartbeat is due when, and what its answer changes. One request is under way at a time. Everything but what
says otherwise happens on the control thread. What a registration or a heartbeat means is the controller's. Source: Apache's `BrokerLifecycleManager`,
`BrokerRegistrationTracker`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from barnabas.core.metadata.features import MV_3_7_IV2_DIRECTORY_ASSIGNMENT, SUPPORTED
from barnabas.node.call import steady_ms
from barnabas.node.controller_channel import ControllerChannel
from barnabas.wire.errors import Error
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.loop import Timer
    from barnabas.node.server import Node

_REGISTRATION_VERSION = 4
_RETRY_MS = 100  # Apache's waits for a whole heartbeat interval (M6)
_STARTING_MS = 10
_SHUTDOWN_POLLS_MS = (10, 10, 20, 50)
_NOBODY_ANSWERS_MS = 5_000  # so long a shutdown waits for a controller,
_LOOK_AFTER_MS = 100  # and before long looks whether there can be one

_REGISTERING = "registering"
_STARTING = "starting"  # registered, and fenced from the start
_RUNNING = "running"
_SHUTTING_DOWN = "shutting down"
_DOWN = "down"  # nothing more is said


class LocalBroker:
    """What this node says of itself when it registers. Listeners are (name, host, port, security protocol) as advertised."""

    __slots__ = ("controller_listeners", "directories", "listeners", "previous_epoch")

    def __init__(
        self,
        listeners: list[tuple[str, str, int, int]],
        controller_listeners: list[tuple[str, str, int, int]],
        previous_epoch: int,
    ) -> None:
        self.listeners = listeners
        self.controller_listeners = controller_listeners
        self.directories: list[bytes] = []  # those that are online once all are loaded
        self.previous_epoch = previous_epoch  # -1 unless every directory was closed cleanly in it (D86)


class BrokerLifecycle:
    """`on_running` is called once, when the controller has unfenced this broker for the first time."""

    def __init__(self, node: Node, local: LocalBroker) -> None:
        self._node = node
        self._loop = node.controller.loop
        self.channel = ControllerChannel(node, self._interval_ms)  # of its own: never behind bulk work (O5)
        self._local = local
        self.id = node.config.node_id
        self.epoch = -1
        self.incarnation_id = os.urandom(16)
        self.on_running: Callable[[], object] = lambda: None
        self._state = _REGISTERING
        self._is_ready = False
        self._is_caught_up = False
        self._is_asking = False
        self._soon = False
        self._is_waited_for = False
        self._timer: Timer | None = None
        self._failed_directories: dict[bytes, bool] = {}  # and whether the controller has heard of it
        self._told_directories: list[bytes] = []  # by the heartbeat under way
        self._told_cordoned: list[bytes] = []
        self._on_shut_down: Callable[[], object] = lambda: None
        self._polls = 0
        self._answered_ms = 0

    # What the node tells

    def start(self, *, is_ready: bool, within_ms: int | None = None) -> None:
        """Register unless that is done, and send heartbeats from now on. A broker that isn't `is_ready` yet stays fenced. From any thread, once.

        The node ends if it isn't registered `within_ms`."""
        if within_ms is not None:
            self._loop.call(self._loop.call_later, max(within_ms, 0), self._expect_registered)
        self._loop.call(self._start, is_ready)

    def _expect_registered(self) -> None:
        if self._state == _REGISTERING and self.epoch < 0:
            self._node.log_error("Shutting down: no controller has registered this broker within initial.broker.registration.timeout.ms.")
            self._node.stop(1)

    def _start(self, is_ready: bool) -> None:
        self._is_ready = is_ready
        if self._state == _RUNNING:
            self._again_in(self._interval_ms)
        else:
            self._again_in(0)

    def ready(self) -> None:
        """Partitions are loaded and everything is there: the controller may unfence this broker. From any thread."""
        self._loop.call(self._start, True)

    def applied(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """An image was put into force: what the controller waits to hear that for is told at once (O5)."""
        changed = delta.brokers_changed
        if changed:
            brokers = image.cluster.brokers
            self._is_waited_for = any(broker.in_controlled_shutdown and not broker.fenced and broker.id != self.id for broker in brokers.values())
            own = brokers.get(self.id) if self.id in changed else None
            if own is not None and not own.directories and (image.features.metadata_version or 0) >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT:
                self._state = _REGISTERING  # from an older metadata.version: directories are news now
                self._again_in(0)
            elif own is not None and self._state == _STARTING:
                self._again_in(0)
        if delta.configs_changed and self._state == _RUNNING and set(self._cordoned) != set(self._told_cordoned):
            self._again_in(0)
        if self._is_waited_for:  # a broker is let go when all others have heard of it (C28)
            self._again_in(0)

    def directory_failed(self, directory_id: bytes) -> None:
        """A log directory went offline: its partitions lose their leader here (C24). From any thread."""
        self._loop.call(self._report_failed, directory_id)

    def _report_failed(self, directory_id: bytes) -> None:
        self._failed_directories[directory_id] = False
        self._loop.call_later(self._node.config.logs.failure_timeout_ms, self._expect_told, directory_id)
        self._again_in(0)

    def _expect_told(self, directory_id: bytes) -> None:
        """Who writes to partitions of a dead disk can't be helped as long as the controller takes them for well led: better without this broker."""
        if not self._failed_directories[directory_id] and self._state != _DOWN:
            self._node.log_error("Shutting down: no controller could be told within log.dir.failure.timeout.ms that a log directory is offline.")
            self._node.stop(1)

    @property
    def is_leaving(self) -> bool:
        """Whether the controlled shutdown has begun."""
        return self._state in (_SHUTTING_DOWN, _DOWN)

    def shut_down(self, done: Callable[[], object]) -> None:
        """Controlled shutdown (C27-C30): give leaderships up, then `done`, on the control thread. Go on serving until then. From any thread."""
        self._loop.call(self._begin_shutdown, done)

    def _begin_shutdown(self, done: Callable[[], object]) -> None:
        self._on_shut_down = done
        if self._state != _RUNNING:
            self._end()
            return
        self._state = _SHUTTING_DOWN
        self._answered_ms = steady_ms()
        self._loop.call_later(_NOBODY_ANSWERS_MS, self._expect_answer)
        self._loop.call_later(_LOOK_AFTER_MS, self._look_for_voters)
        self._again_in(0)

    def _expect_answer(self) -> None:
        silent_ms = steady_ms() - self._answered_ms
        if silent_ms >= _NOBODY_ANSWERS_MS:
            self._give_up(f"none answered for {silent_ms} ms")
        elif self._state == _SHUTTING_DOWN:
            self._loop.call_later(_NOBODY_ANSWERS_MS - silent_ms, self._expect_answer)

    def _look_for_voters(self) -> None:
        from barnabas.node.voters_watch import VotersWatch

        VotersWatch(self._node, lambda: self._state == _SHUTTING_DOWN, lambda: self._give_up("too few of the quorum's voters run"))

    def _give_up(self, why: str) -> None:
        """No controller: the others find out by the end of its session."""
        if self._state == _SHUTTING_DOWN:
            self._node.log_warning(f"Stopping without the controller's leave: {why}.")
            self._end()

    def _end(self) -> None:
        if self._state != _DOWN:
            self._state = _DOWN
            self._on_shut_down()

    # When something is due

    @property
    def _interval_ms(self) -> int:
        return self._node.config.quorum.broker_heartbeat_interval_ms

    def _again_in(self, delay_ms: int) -> None:
        """Say something in `delay_ms`; with 0 as soon as nothing else is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_asking:
            self._soon = self._soon or delay_ms == 0
        elif delay_ms == 0 or self._soon:
            self._soon = False
            self._say()
        else:
            self._timer = self._loop.call_later(delay_ms, self._again_in, 0)

    def _say(self) -> None:
        if self._state == _DOWN:
            return
        self._is_asking = True
        self._told_directories = list(self._failed_directories)
        self._told_cordoned = self._cordoned
        if self._state == _REGISTERING:
            self.channel.ask(self.registration(), self._registration_answered)
        else:
            self.channel.ask(self.heartbeat(self._node.image.offset), self._heartbeat_answered)

    # Registering

    def registration(self) -> BrokerRegistrationRequest:
        request = BrokerRegistrationRequest
        return request(
            broker_id=self.id,
            cluster_id=self._node.cluster_id,
            incarnation_id=self.incarnation_id,
            listeners=[request.Listener(name=name, host=host, port=port, security_protocol=kind) for name, host, port, kind in self._local.listeners],
            features=[
                request.Feature(name=name, min_supported_version=least, max_supported_version=most) for name, (least, most) in SUPPORTED.items()
            ],
            rack=self._node.config.rack,
            log_dirs=sorted(self._local.directories),
            previous_broker_epoch=self._local.previous_epoch,
        )

    def _registration_answered(self, answer: Any) -> None:
        self._is_asking = False
        if self._state != _REGISTERING:
            return
        if answer is None or answer.error_code != Error.NONE:
            if answer is not None:
                self._node.warn_seldom("registration", f"Registration refused: {Error(answer.error_code).name}; it is tried again.")
            self._again_in(_RETRY_MS)
            return
        self.epoch = answer.broker_epoch
        self._state = _STARTING
        self._again_in(0)

    def register_here(self, controller: Controller, append: Callable[[Result], int], now_ms: int) -> None:
        """This node is the whole quorum, and ready: registered and unfenced by the same write that everything else of a start goes with."""
        from barnabas.core.controller.broker_life import process_broker_heartbeat
        from barnabas.core.controller.registrations import register_broker

        before = controller.brokers.registrations.get(self.id)
        if before is not None:  # this process holds the directories' locks: whoever was this broker before is gone (O3)
            controller.heartbeats.end_session(before.id, before.epoch)
        registered = register_broker(controller, self.registration(), _REGISTRATION_VERSION, now_ms)
        append(registered)
        self.epoch = registered.response
        self._is_ready = self._is_caught_up = True
        append(process_broker_heartbeat(controller, self.heartbeat(controller.next_write_offset - 1), now_ms))
        self._state = _RUNNING

    # Heartbeats

    def heartbeat(self, metadata_offset: int) -> BrokerHeartbeatRequest:
        """`metadata_offset`: of the last record that is in force here, never of one that isn't (C67)."""
        return BrokerHeartbeatRequest(
            broker_id=self.id,
            broker_epoch=self.epoch,
            current_metadata_offset=metadata_offset,
            want_fence=not self._is_ready,
            want_shut_down=self._state == _SHUTTING_DOWN,
            offline_log_dirs=list(self._failed_directories),
            cordoned_log_dirs=self._cordoned if self._is_caught_up else None,
        )

    @property
    def _cordoned(self) -> list[bytes]:
        """Its directories that get no new replicas (KIP-1066)."""
        paths = self._node.config.logs.cordoned
        return [found.id for found in self._node.replicas.directories if found.path in paths] if paths else []

    def _heartbeat_answered(self, answer: Any) -> None:
        self._is_asking = False
        if answer is None:
            self._again_in(_RETRY_MS)
            return
        self._answered_ms = steady_ms()
        if answer.error_code == Error.NONE:
            self._failed_directories.update(dict.fromkeys(self._told_directories, True))
        if answer.error_code != Error.NONE:
            self._refused(Error(answer.error_code))
        elif self._state == _SHUTTING_DOWN:
            if answer.should_shut_down:
                self._end()
            else:
                self._again_in(_SHUTDOWN_POLLS_MS[min(self._polls, len(_SHUTDOWN_POLLS_MS) - 1)])
                self._polls += 1
        elif self._state == _STARTING:
            self._is_caught_up = self._is_caught_up or answer.is_caught_up
            if answer.is_fenced:
                self._again_in(_STARTING_MS if self._is_ready else _RETRY_MS)
            else:
                self._state = _RUNNING
                self.on_running()
                self._again_in(self._interval_ms)
        else:
            self._again_in(self._interval_ms)

    def _refused(self, error: Error) -> None:
        self._node.warn_seldom("heartbeat", f"Heartbeat refused: {error.name}")
        if self._state == _SHUTTING_DOWN:  # unregistered while it ran, or no room to write it down: its session's end tells the others
            self._end()
        else:
            self._again_in(self._interval_ms)
