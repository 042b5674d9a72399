"""Chooses, once, between `_native` (C, if it was built and BARNABAS_NATIVE isn't 0) and its pure Python twins, `skim`, `tally`, `walk` and `newest`."""

from __future__ import annotations

try:
    from barnabas.wire.records._native import crc32c, quick, read_records, returns, skim, tally, tally_records, thin, walk
except ImportError:  # no compiler at hand when this was installed, a build older than this file, or BARNABAS_NATIVE=0
    from barnabas.wire.records.skim import crc32c, quick, read_records, returns, skim
    from barnabas.wire.records.tally import tally, tally_records
    from barnabas.wire.records.walk import thin, walk

    IS_NATIVE = False
else:
    IS_NATIVE = True

try:
    from barnabas.wire.records._native import judge, note_keys
except ImportError:  # a build that is older than these two has all the others
    from barnabas.wire.records.newest import judge, note_keys

__all__ = ["IS_NATIVE", "crc32c", "judge", "note_keys", "quick", "read_records", "returns", "skim", "tally", "tally_records", "thin", "walk"]
