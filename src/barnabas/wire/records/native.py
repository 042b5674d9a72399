"""Chooses, once, between `_native` (C, if it was built and BARNABAS_NATIVE isn't 0) and its pure Python twins, `skim`, `tally` and `walk`. Nothing else does."""

from __future__ import annotations

from barnabas.wire.records import skim as twin
from barnabas.wire.records import tally as counts
from barnabas.wire.records import walk as batches

try:
    from barnabas.wire.records import _native
except ImportError:  # no compiler at hand when this was installed, or the extension declined because of BARNABAS_NATIVE=0
    IS_NATIVE = False
    crc32c, skim, quick, returns, read_records, walk = twin.crc32c, twin.skim, twin.quick, twin.returns, twin.read_records, batches.walk
    tally, tally_records = counts.tally, counts.tally_records
else:
    IS_NATIVE = True
    crc32c, skim, quick, returns, read_records = _native.crc32c, _native.skim, _native.quick, _native.returns, _native.read_records
    walk, tally, tally_records = _native.walk, _native.tally, _native.tally_records
