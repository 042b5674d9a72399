"""Replicas that move from one directory of this node to another: asked for, begun, gone on with after a restart, cancelled, and brought to their end (R35).

Owns the future replicas, each a `Partition` of its own with a `-future` directory, and how far each move is; the copying is `directory_copier`'s. Once a future
replica has all that the present one has, the controller is told where it will be (AssignReplicasToDirs), and when the controller has agreed the future one
takes the place: the old directory gets its -delete name, the new one its plain name, and the `Partition` goes on with the new log. A crash between the two
leaves a directory that says -future, which either engine takes for the replica at the next start, as the metadata says that it lies there.

Three threads come here: the publisher's, on which metadata is followed and clients' wishes are carried out; the disk's, on which a future replica takes its
place, since nothing syncs a log meanwhile; and whoever finds a disk broken. One lock makes them take turns.

Unlike Apache Kafka: what the replica has is synced before the old files go, and after a restart the rest is copied first where Apache Kafka takes the future
replica as it is, if the controller had agreed already.

Source: ReplicaManager.alterReplicaLogDirs, ReplicaAlterLogDirsThread, LogManager.replaceCurrentWithFutureLog of 4.3.1; KIP-113, KIP-858.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from barnabas.node.call import clock_ms
from barnabas.storage.errors import StorageError
from barnabas.storage.partition_name import FUTURE, MAX_NAME_BYTES, suffixed_name
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.directory_copier import Copier
    from barnabas.node.partition import Partition
    from barnabas.node.replicas import Directory
    from barnabas.node.server import Node

    Key = tuple[bytes, int]  # topic id, partition

COPYING = "copying"
ASKED = "asked"  # it has all: the controller is told where it will be
ACCEPTED = "accepted"  # the metadata says that it lies there
OVER = "over"

_ASK_AGAIN_MS = 500
_MOST_WANTED = 10_000


class Move:
    """`state` is changed under the lock of `DirectoryMoves`, and read anywhere."""

    __slots__ = ("current", "future", "state")

    def __init__(self, current: Partition, future: Partition, state: str) -> None:
        self.current = current
        self.future = future
        self.state = state


class DirectoryMoves:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = RLock()
        self._futures: dict[Key, Partition] = {}
        self._moves: dict[Key, Move] = {}
        self._copiers: dict[int, Copier] = {}
        self._wanted: dict[tuple[str, int], str] = {}  # where replicas are to be made that don't exist yet

    def stop(self) -> None:
        """Copy no more. What isn't finished goes on at the next start."""
        for copier in list(self._copiers.values()):
            copier.stop()

    # Looking up, from any thread

    def futures(self) -> list[Partition]:
        return list(self._futures.values())

    def in_directory(self, path: str) -> list[Partition]:
        replicas = self._node.replicas
        return [future for future in self.futures() if replicas.directory_of(future).path == path]

    def is_moving(self, partition: Partition) -> bool:
        return _key(partition) in self._futures

    def is_bound_for(self, partition: Partition, directory_id: bytes) -> bool:
        """Whether it is on its way there: that the metadata says so already is as it should be."""
        future = self._futures.get(_key(partition))
        return future is not None and future.directory_id == directory_id

    def take_wanted(self, topic: str, index: int) -> Directory | None:
        """Where somebody wanted a replica that is made now."""
        path = self._wanted.pop((topic, index), None)
        return None if path is None else self._directory(path)

    def _directory(self, path: str) -> Directory | None:
        return next((directory for directory in self._node.replicas.directories if directory.path == path), None)

    # What clients ask for

    def ask(self, topic: str, index: int, path: str) -> Error:
        """Have a replica lie in the directory `path`. On the publisher's thread."""
        replicas = self._node.replicas
        directory = self._directory(path)
        if len(suffixed_name(topic, index, FUTURE)) > MAX_NAME_BYTES:
            return Error.INVALID_TOPIC_EXCEPTION
        if directory is None:
            return Error.LOG_DIR_NOT_FOUND
        current = replicas.by_name.get(topic, {}).get(index)
        if directory.is_online and path in self._node.config.logs.cordoned:
            return Error.INVALID_REPLICA_ASSIGNMENT
        if not directory.is_online or (not replicas.directory_of(current).is_online if current is not None else self._is_away(topic, index)):
            return Error.KAFKA_STORAGE_ERROR
        with self._lock:
            key = None if current is None else _key(current)
            future = None if key is None else self._futures.get(key)
            if key is not None and future is not None and future.directory_id != directory.id:
                self._cancel(key)
                future = None
            if current is None:
                self._wanted[topic, index] = path
                while len(self._wanted) > _MOST_WANTED:
                    del self._wanted[next(iter(self._wanted))]
                known = self._node.image.topics.partition(topic, index)
                return Error.UNKNOWN_TOPIC_OR_PARTITION if known is None else Error.REPLICA_NOT_AVAILABLE
            if future is not None or current.directory_id == directory.id:
                return Error.NONE
            return self._begin(current, directory)

    def _is_away(self, topic: str, index: int) -> bool:
        """Whether it lies in a directory that is offline since the start."""
        partition = self._node.image.topics.partition(topic, index)
        if partition is None or self._node.config.node_id not in partition.replicas:
            return False
        directory_id = partition.directory_of(self._node.config.node_id)
        return any(directory.id == directory_id and not directory.is_online for directory in self._node.replicas.directories)

    def _begin(self, current: Partition, directory: Directory) -> Error:
        replicas = self._node.replicas
        if not all(found.is_online for found in replicas.directories):
            return Error.KAFKA_STORAGE_ERROR  # another future replica may be in the one that is away
        try:
            path = directory.files.create_partition(current.topic, current.index, future=True)
            topic = self._node.image.topics.by_id[current.topic_id]
            future = replicas.open_new(directory, path, topic, current.index, self._node.image)
        except (OSError, StorageError) as error:
            replicas.fail(directory, error)
            return Error.KAFKA_STORAGE_ERROR
        self._futures[_key(future)] = future
        self._go_on(current, future, COPYING)
        return Error.NONE

    def _go_on(self, current: Partition, future: Partition, state: str) -> None:
        replicas = self._node.replicas
        self._node.log_info(f"{current!r} moves from {replicas.directory_of(current).path} to {replicas.directory_of(future).path}")
        move = self._moves[_key(current)] = Move(current, future, state)
        self._copier(move).add(move)

    def _copier(self, move: Move) -> Copier:
        from barnabas.node.directory_copier import Copier

        number = hash((move.current.topic_id, move.current.index)) % max(self._node.config.throttling.copiers, 1)
        if number not in self._copiers:
            self._copiers[number] = Copier(self._node, number, self._copied)
        return self._copiers[number]

    def _cancel(self, key: Key) -> None:
        """The future replica is given up, its files are removed after a while."""
        future = self._futures.pop(key)
        self._end(key)
        future.retire()
        replicas = self._node.replicas
        directory = replicas.directory_of(future)
        try:
            with future.lock:
                future.log.rename_for_deletion(directory.files, future.topic, future.index, clock_ms(), replicas.delete_delay_ms())
        except (OSError, StorageError) as error:
            replicas.fail(directory, error)

    def _end(self, key: Key) -> None:
        move = self._moves.pop(key, None)
        if move is None:
            return
        if move.state in (ASKED, ACCEPTED):  # the metadata may say that it lies elsewhere
            self._node.directory_reports.report([(*key, move.current.directory_id)])
        move.state = OVER

    # Following the metadata, on the publisher's thread

    def found(self, future: Partition) -> None:
        """A -future directory was there at the start. From any thread."""
        with self._lock:
            self._futures[_key(future)] = future

    def recover(self, image: MetadataImage, broker_id: int) -> list[Partition]:
        """Future replicas which are the only ones there are, and which the metadata takes for the replica: they are it from now on."""
        recovered = []
        with self._lock:
            for key, future in list(self._futures.items()):
                topic = image.topics.by_id.get(key[0])
                partition = None if topic is None else topic.partitions.get(key[1])
                if partition is None or broker_id not in partition.replicas or partition.directory_of(broker_id) != future.directory_id:
                    continue
                if key[1] in self._node.replicas.by_id.get(key[0], {}):
                    continue
                directory = self._node.replicas.directory_of(future)
                try:
                    future.log.renamed(directory.files.mark_current(future.log.directory, future.topic, future.index))
                    directory.files.sync()
                except OSError as error:
                    self._node.replicas.fail(directory, error)
                    continue
                del self._futures[key]
                recovered.append(future)
        return recovered

    def resume(self, image: MetadataImage, broker_id: int) -> None:
        """Go on with what was under way when the node ended."""
        with self._lock:
            for key, future in self._futures.items():
                current = self._node.replicas.by_id.get(key[0], {}).get(key[1])
                if key in self._moves or current is None or current.retired or current.directory_id == future.directory_id:
                    continue
                topic = image.topics.by_id.get(key[0])
                partition = None if topic is None else topic.partitions.get(key[1])
                if partition is not None and broker_id in partition.replicas:
                    self._go_on(current, future, ACCEPTED if partition.directory_of(broker_id) == future.directory_id else COPYING)

    def forget(self, topic_id: bytes, index: int) -> None:
        """The replica is deleted."""
        with self._lock:
            move = self._moves.get((topic_id, index))
            if move is not None:
                move.state = COPYING  # nobody needs to be told where it lies
            if (topic_id, index) in self._futures:
                self._cancel((topic_id, index))

    def set_aside(self, topic_id: bytes, index: int, directory: Directory) -> None:
        """A replica is made anew in `directory`, the one that was on its way there is lost with its disk: what it had brought is kept as -stray, for one
        directory has room for one, as checkpoints know logs by their partitions. Raises OSError.
        """
        with self._lock:
            future = self._futures.get((topic_id, index))
            if future is None or future.directory_id != directory.id:
                return
            del self._futures[topic_id, index]
            self._end((topic_id, index))
            future.retire()
            with future.lock:
                path = directory.files.mark_stray(future.log.directory, future.topic, index)
                future.log.renamed(path)
                future.log.close_without_sync()
        self._node.log_warning(f"{future!r} begins anew in {directory.path}; what had been moved there before is left in {path}")

    def take_offline(self, directory: Directory) -> None:
        """Its disk failed: moves from there and to there are over; what is on the disk may be gone on with one day. From any thread."""
        with self._lock:
            for key, future in list(self._futures.items()):
                if future.directory_id == directory.id:
                    del self._futures[key]
                    self._end(key)
                    future.retire()
                    future.log.close_without_sync()
            for key, move in list(self._moves.items()):
                if move.current.directory_id == directory.id:
                    move.state = COPYING
                    self._end(key)

    # The end of a move

    def _copied(self, move: Move) -> None:
        """All is copied, for a moment. On a copier's thread."""
        with self._lock:
            if move.state == ACCEPTED:
                self._node.disk.loop.call(self._finish, move)
            elif move.state == COPYING:
                move.state = ASKED
                place = (*_key(move.future), move.future.directory_id)
                publisher = self._node.controller.publisher.loop
                self._node.directory_reports.report([place], lambda error: publisher.call(self._answered, move, error))

    def _answered(self, move: Move, error: Error) -> None:
        """What the controller says to the new place. On the publisher's thread."""
        with self._lock:
            if move.state != ASKED:
                return
            move.state = COPYING if error else ACCEPTED
            self._copier(move).add(move, _ASK_AGAIN_MS if error else 0)

    def _finish(self, move: Move) -> None:
        """The future replica takes the place, unless more has come than can be copied while nobody writes. On the disk's thread."""
        current, future = move.current, move.future
        replicas, disk = self._node.replicas, self._node.disk
        source, target = replicas.directory_of(current), replicas.directory_of(future)
        try:
            with future.lock:
                if not future.retired:
                    future.log.flush()
        except StorageError as error:
            self._failed(move, source, error)
            return
        with self._lock:
            if move.state != ACCEPTED:
                return
            try:
                disk.write_checkpoints(target)  # where it starts, above all: deleted records don't come back
                old = current.log
                if not current.take_over(future, lambda: self._swap(move, source, target)):
                    self._copier(move).add(move)
                    return
                key = _key(current)
                del self._futures[key], self._moves[key]
                move.state = OVER
                self._node.replicas.cleaner_offsets.move(current, source, target)
                source.files.sync()  # in this order: two replicas of one name would be one too many
                target.files.sync()
                source.files.remove_later(old.directory, clock_ms(), replicas.delete_delay_ms())
                disk.write_checkpoints(source)
                disk.write_checkpoints(target)
            except (OSError, StorageError) as error:
                self._failed(move, source, error)
                return
        self._node.log_info(f"{current!r} lies in {target.path} now")

    def _failed(self, move: Move, source: Directory, error: OSError | StorageError) -> None:
        replicas = self._node.replicas
        path = error.path if isinstance(error, StorageError) else error.filename
        replicas.fail(source if f"{path}/".startswith(f"{source.path}/") else replicas.directory_of(move.future), error)
        if move.state == ACCEPTED:  # a full disk may have room again
            self._copier(move).add(move, _ASK_AGAIN_MS)

    def _swap(self, move: Move, source: Directory, target: Directory) -> bool:
        """While nobody writes: the rest is copied, and the directories get their names. Whether it was possible. Raises StorageError, OSError."""
        from barnabas.node.directory_copier import catch_up

        current, future = move.current, move.future
        if not catch_up(self._node, move):
            return False
        topic, index = current.topic, current.index
        entries = current.epochs.entries
        if entries and entries[-1][0] > future.epochs.latest:  # in which nothing was written yet
            future.log.flush_epochs(future.epochs.assign(*entries[-1]))
        old = current.log.directory
        retired = source.files.retire(old, topic, index)
        try:
            future.log.renamed(target.files.mark_current(future.log.directory, topic, index))
        except OSError:
            source.files.mark_current(retired, topic, index)
            raise
        current.log.renamed(retired)
        return True


def _key(partition: Partition) -> Key:
    return partition.topic_id, partition.index
