"""Bringing this node up to each new image of the metadata, one after the other, on a thread of its own.

Making, opening and removing logs takes time that elections and heartbeats haven't: the control thread hands images over and is told when they are in force.
Owns the order of that, and what is tried again when a disk had no room. What an image changes is `Node.publish`'s. C63; Apache's `MetadataLoader` has a
thread for it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node

_COMPLETE_MS = 1_000


class ImagePublisher:
    """`on_published(delta, image)` is called on `control`, in the order of `publish`."""

    def __init__(self, node: Node, control: Loop, on_published: Callable[[MetadataDelta, MetadataImage], object]) -> None:
        self._node = node
        self._control = control
        self._on_published = on_published
        self.loop = Loop("metadata-publisher", node.on_loop_error)
        self._under_way = 0
        self._completes = False

    def start(self) -> None:
        self.loop.start()
        self.loop.call(self._complete_later)

    def stop(self) -> None:
        """After what has been handed over."""
        self.loop.stop()
        self.loop.join(30)

    def publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """On the control thread. What takes no time is done at once, unless something before it isn't done yet."""
        if not (self._under_way or delta.topics_changed or delta.configs_changed or delta.brokers_changed):
            self._node.publish(delta, image, self._node.broker.id)
            self._on_published(delta, image)
        else:
            self._under_way += 1
            self.loop.call(self._publish, delta, image)

    def _publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        self._report_places(self._node.publish(delta, image, self._node.broker.id))
        self._control.call(self._published, delta, image)
        self._complete_later()

    def _published(self, delta: MetadataDelta, image: MetadataImage) -> None:
        self._under_way -= 1
        self._on_published(delta, image)

    def go_live(self, image: MetadataImage, done: Callable[[], object]) -> None:
        """Be where `image` is, whatever was before; then `done`, on the publisher's thread. On the control thread, before the first `publish`."""
        self.loop.call(self._go_live, image, done)

    def _go_live(self, image: MetadataImage, done: Callable[[], object]) -> None:
        self._node.adopt(image)
        self._catch_up()
        self._node.fetchers.start()
        done()

    def _catch_up(self) -> None:
        node = self._node
        self._report_places(node.replicas.catch_up(node.image, node.broker.id))
        node.groups.catch_up(node.image, node.broker.id)

    def _report_places(self, unassigned: list[Partition]) -> None:
        if unassigned:
            places = [(partition.topic_id, partition.index, partition.directory_id) for partition in unassigned]
            self._control.call(self._node.directory_reports.report, places)

    def _complete_later(self) -> None:
        """Replicas that a full disk had no room for are tried again, until they are there."""
        if self._node.replicas.is_incomplete and not self._completes:
            self._completes = True
            self.loop.call_later(_COMPLETE_MS, self._complete)

    def _complete(self) -> None:
        self._completes = False
        self._catch_up()
        self._complete_later()
