"""The threads that compact logs: which log is the dirtiest, one at a time on each thread, no faster than is allowed (D83, D117).

Owns the choice, the pauses, and what becomes of a log that can't be cleaned: it is left alone until the node starts again. How a log is cleaned is
`storage.compaction`'s. Logs that are compacted have their old segments deleted here too, after each look. Imported when the first look is due. Source: Apache's
LogCleaner.
"""

from __future__ import annotations

import time
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, NamedTuple

from barnabas.node.call import clock_ms
from barnabas.storage.atomic_file import sync_directory
from barnabas.storage.cleanable import Cleanable, LogView, cleanable
from barnabas.storage.compaction import Abandoned, Damaged, Limits, Round, clean
from barnabas.storage.errors import StorageError

if TYPE_CHECKING:
    from barnabas.node.config.sections import Compaction
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node
    from barnabas.storage.log import Log
    from barnabas.storage.segment import Segment

_STOP_S = 30
_WRITES_AWAITED = 100
_PACE_S = 0.3  # so long a cleaner may be ahead of its rate
_LONGEST_WAIT_S = 3600.0


class Cleaners:
    """`stop` waits until no thread is at work; what a thread was at is dropped, files and all."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = Lock()  # of what is chosen
        self._in_hand: set[Partition] = set()
        self._uncleanable: set[Partition] = set()
        self._aside: dict[Partition, float] = {}  # could not be cleaned just now: not chosen again before that time
        self._wake = Condition()
        self._threads: list[Cleaner] = []
        self.pace = _Pace()

    def start(self) -> None:
        """Begin, or go on with the settings that are in force now."""
        settings = self._node.config.compaction
        self.pace.most_bytes_per_second = settings.max_bytes_per_second
        with self._wake:
            for number in range(len(self._threads), settings.threads):
                thread = Cleaner(self._node, self, number)
                self._threads.append(thread)
                thread.start()
            for thread in self._threads[settings.threads :]:
                thread.is_stopping = True
            del self._threads[settings.threads :]
            self._wake.notify_all()

    def stop(self) -> None:
        with self._wake:
            threads, self._threads = self._threads, []
            for thread in threads:
                thread.is_stopping = True
            self._wake.notify_all()
        for thread in threads:
            thread.join(_STOP_S)

    def pause(self, thread: Cleaner, seconds: float) -> None:
        """Until the time is over, or settings change, or the thread is to stop."""
        with self._wake:
            if not thread.is_stopping:
                self._wake.wait(min(seconds, _LONGEST_WAIT_S))

    def compacted(self) -> list[Partition]:
        """Whose logs are to be compacted."""
        replicas = self._node.replicas
        return [p for p in replicas if p.log.config.compact and not p.retired and replicas.directory_of(p).is_online and p not in self._uncleanable]

    def take_dirtiest(self, now_ms: int) -> Chosen | None:
        """The log that is worth it most, for the caller alone until `give_back`. None: nothing is to be done before a pause."""
        with self._lock:
            now = time.monotonic()
            self._aside = {partition: until for partition, until in self._aside.items() if until > now}
            best: Chosen | None = None
            for partition in self.compacted():
                if partition in self._in_hand or partition in self._aside or self._node.moves.is_moving(partition):
                    continue
                found = self._look_at(partition, now_ms)
                if found is None or not found.part.is_worth_it(found.view.config.min_cleanable_dirty_ratio):
                    continue
                if best is None or found.part.ratio > best.part.ratio:
                    best = found
            if best is not None:
                self._in_hand.add(best.partition)
            return best

    def _look_at(self, partition: Partition, now_ms: int) -> Chosen | None:
        offsets = self._node.replicas.cleaner_offsets
        try:
            with partition.lock:
                log = partition.log
                view = LogView(log.segments, log.start_offset, log.end_offset, _first_undecided_offset(partition), log.config)
                truncations = log.truncations
            part = cleanable(view, offsets.of(partition), now_ms)
            if part.is_reset:
                offsets.put(partition, log, truncations, part.first_dirty_offset)
        except (OSError, StorageError) as error:
            self.failed(partition, log, error)
            return None
        return Chosen(partition, log, truncations, view, part)

    def give_back(self, partition: Partition, *, is_done: bool = True) -> None:
        with self._lock:
            self._in_hand.discard(partition)
            if not is_done:
                self._aside[partition] = time.monotonic() + self._node.config.compaction.backoff_ms / 1000

    def leave_alone(self, partition: Partition, why: object) -> None:
        """It can't be cleaned, and a second try would end the same."""
        self._node.log_warning(f"{partition!r} is not compacted any more until the node starts again: {why}")
        with self._lock:
            self._uncleanable = {known for known in self._uncleanable if not known.retired} | {partition}

    def failed(self, partition: Partition, log: Log, error: OSError | StorageError) -> None:
        """The disk refused."""
        if partition.retired or partition.log is not log:
            return  # its files are going
        failure = error if isinstance(error, StorageError) else StorageError.of(log.directory, "could not be compacted", error)
        if failure.offline:
            self._node.on_storage_error(partition, failure)
        else:
            self._node.warn_seldom(f"compaction of {partition!r}", f"{failure}. {partition!r} is not compacted until there is room again.")

    def delete_old_segments(self, thread: Cleaner) -> None:
        """By the log's start, and by retention where the policy has both (D114)."""
        for partition in self.compacted():
            if thread.is_stopping:
                return
            with self._lock:
                if partition in self._in_hand:
                    continue
                self._in_hand.add(partition)
            try:
                self._node.disk.delete_old_segments([partition])
            finally:
                self.give_back(partition)


class Chosen(NamedTuple):
    partition: Partition
    log: Log
    truncations: int
    view: LogView
    part: Cleanable


class Cleaner(Thread):
    def __init__(self, node: Node, cleaners: Cleaners, number: int) -> None:
        super().__init__(name=f"cleaner-{number}", daemon=True)
        self._node = node
        self._cleaners = cleaners
        self.is_stopping = False

    def run(self) -> None:
        while not self.is_stopping:
            try:
                is_found = self._work()
            except Exception as error:
                self._node.on_loop_error(error)
                return
            if not is_found:
                self._cleaners.pause(self, self._node.config.compaction.backoff_ms / 1000)

    def _work(self) -> bool:
        """Whether there was a log to clean."""
        chosen = self._cleaners.take_dirtiest(clock_ms())
        if chosen is not None:
            is_done = False
            try:
                is_done = self._clean(chosen)
            finally:
                self._cleaners.give_back(chosen.partition, is_done=is_done)
        self._cleaners.delete_old_segments(self)
        return chosen is not None

    def _clean(self, chosen: Chosen) -> bool:
        """Whether it was cleaned."""
        partition, log, truncations, view, part = chosen
        began = time.monotonic()
        sitting = Sitting(self._node, self._cleaners.pace, self, chosen)
        try:
            last_records = sitting.last_records()
            round_ = Round(log.directory, view.config, view.segments, part.first_dirty_offset, part.end_offset, last_records, clock_ms())
            cleaned = clean(round_, limits_of(self._node.config.compaction), sitting)
            self._node.replicas.cleaner_offsets.put(partition, log, truncations, cleaned.offset)
        except Abandoned:
            return False
        except (Damaged, OSError, StorageError) as error:
            if sitting.is_over():
                return False
            if isinstance(error, Damaged):
                self._cleaners.leave_alone(partition, error)
            else:
                self._cleaners.failed(partition, log, error)
            return False
        except MemoryError:
            self._cleaners.leave_alone(partition, "memory for its keys is not to be had; lower log.cleaner.dedupe.buffer.size")
            return False
        except Exception as error:  # whatever it is, the log is as it was, and the others can be compacted
            self._node.on_network_error(error)
            self._cleaners.leave_alone(partition, repr(error))
            return False
        self._node.log_info(
            f"{partition!r} was compacted from offset {part.first_dirty_offset} to {cleaned.offset}: "
            f"{cleaned.bytes_read} bytes became {cleaned.bytes_written} in {time.monotonic() - began:.1f} s"
        )
        return True


def _first_undecided_offset(partition: Partition) -> int:
    """Below it everything is committed, and so is what became of each transaction. Under the partition's lock."""
    first_unstable = partition.producers.first_unstable_offset(partition.high_watermark)
    return partition.high_watermark if first_unstable is None else min(first_unstable, partition.high_watermark)


def limits_of(settings: Compaction) -> Limits:
    threads = max(settings.threads, 1)
    return Limits(min(settings.dedupe_buffer_bytes // threads, (1 << 31) - 1), settings.load_factor, max(settings.io_buffer_bytes // threads // 2, 1))


class Sitting:
    """One log under one cleaner: `storage.compaction.Host`."""

    def __init__(self, node: Node, pace: _Pace, thread: Cleaner, chosen: Chosen) -> None:
        self._node = node
        self._pace = pace
        self._thread = thread
        self._chosen = chosen

    def is_over(self) -> bool:
        """Whether the log isn't any more what it was, or isn't to be compacted."""
        partition, log, truncations, _, _ = self._chosen
        return (
            self._thread.is_stopping
            or partition.retired
            or partition.log is not log
            or log.truncations != truncations
            or not log.config.compact
            or self._node.moves.is_moving(partition)
        )

    def check(self, size: int) -> None:
        if self.is_over():
            raise Abandoned
        while (wait_s := self._pace.spend(size)) > 0:
            size = 0
            time.sleep(min(wait_s, _PACE_S))
            if self.is_over():
                raise Abandoned

    def last_records(self) -> dict[int, tuple[int, int]]:
        """What each producer wrote last, none of it still on its way to the disk: were that lost, what was last before it must be there."""
        partition = self._chosen.partition
        for _ in range(_WRITES_AWAITED):
            if (group := partition.group) is not None:
                partition.write(group)
            with partition.lock:
                if partition.group is None:
                    return {entry.producer_id: (entry.last_offset, entry.producer_epoch) for entry in partition.producers.entries()}
        raise Abandoned

    def swap(self, cleaned: Segment, old: tuple[Segment, ...]) -> None:
        partition, log = self._chosen.partition, self._chosen.log
        with partition.lock:
            if self.is_over():
                raise Abandoned
            try:
                is_done = log.replace_segments(cleaned, old, clock_ms())
            except OSError as error:
                raise StorageError(log.directory, f"could not put a compacted segment in its place: {error.strerror or error}") from error
        if not is_done:
            raise Abandoned
        sync_directory(log.directory)


class _Pace:
    """What all cleaners read and write together, against log.cleaner.io.max.bytes.per.second."""

    def __init__(self) -> None:
        self.most_bytes_per_second = float("inf")
        self._lock = Lock()
        self._began = time.monotonic()
        self._size = 0

    def spend(self, size: int) -> float:
        """So many bytes more; how many seconds to wait now."""
        with self._lock:
            self._size += size
            now = time.monotonic()
            ahead = (self._size / self.most_bytes_per_second if self.most_bytes_per_second > 0 else 0.0) - (now - self._began)
            if ahead <= 0 and now - self._began >= _PACE_S:
                self._began, self._size = now, 0
            return ahead if ahead > _PACE_S else 0.0
