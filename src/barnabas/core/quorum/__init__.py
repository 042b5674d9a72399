"""KRaft consensus: events in, effects out. No clock, no disk, no network. `quorum` is the way in."""
