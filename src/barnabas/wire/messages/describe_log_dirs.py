"""DescribeLogDirs (35): versions 1-5, flexible from 2. A broker's disks and what lies on them (KIP-113).

3 an error for the whole reply; 4 size and free bytes of each disk (KIP-827); 5 whether a disk takes no more partitions.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Bool, Int16, Int32, Int64, String


class DescribeLogDirsRequest(Message, key=35, versions="1-5", flexible="2+"):
    topics: Array[DescribableLogDirTopic] | None

    class DescribableLogDirTopic(Struct):
        topic: String
        partitions: Array[Int32]


class DescribeLogDirsResponse(Message, key=35, versions="1-5", flexible="2+"):
    throttle_time_ms: Int32
    error_code: Int16 = since(3, default=0, ignorable=True)
    results: Array[Result]

    class Result(Struct):
        error_code: Int16
        log_dir: String
        topics: Array[Topic]
        total_bytes: Int64 = since(4, default=-1, ignorable=True)
        usable_bytes: Int64 = since(4, default=-1, ignorable=True)
        is_cordoned: Bool = since(5, default=False, ignorable=True)

        class Topic(Struct):
            name: String
            partitions: Array[Partition]

            class Partition(Struct):
                partition_index: Int32
                partition_size: Int64
                offset_lag: Int64
                is_future_key: Bool
