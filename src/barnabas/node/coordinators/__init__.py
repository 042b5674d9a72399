"""The coordinators' thread: shards of __consumer_offsets, each a pure machine of `core`, with their logs, timers and callers."""
