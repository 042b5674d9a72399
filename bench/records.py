"""What it costs a leader to validate a produced batch: native, the pure Python twin, and reading the header alone. `python -m bench.records` prints a table.

Each figure is the best of several rounds on one thread, in microseconds a batch (and GB/s of the batch as sent).
"""

from __future__ import annotations

import sys
from functools import partial
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING

from barnabas.wire.records import native, skim, validation
from barnabas.wire.records.batch import HEADER
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.record import Record
from barnabas.wire.records.validation import AppendRules, validate

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_MS = 1_700_000_000_000
ROUND_S = 0.1
ROUNDS = 5
SHAPES = [("1 x 100 B", 1, 100), ("100 x 100 B", 100, 100), ("256 x 1 KB", 256, 1024)]
CODECS = (Codec.NONE, Codec.LZ4, Codec.ZSTD)


def best_us(call: Callable[[], object]) -> float:
    """Microseconds of one call, at best."""
    count, found = 1, float("inf")
    for _ in range(ROUNDS + 4):
        start = perf_counter()
        for _ in range(count):
            call()
        spent = perf_counter() - start
        if spent < ROUND_S / 2:
            count = max(count + 1, int(count * ROUND_S / max(spent, 1e-6) * 0.8))
            continue
        found = min(found, spent / count)
    return found * 1e6


def batch_of(count: int, size: int, codec: int) -> memoryview:
    """Records that compress about four to one: half of each value is noise of few letters, half is text."""
    values = [
        bytes((i * 7 + j * j) % 23 + 97 for j in range(size // 2)) + b"status=200 method=GET path=/".ljust(size - size // 2, b"-")
        for i in range(count)
    ]
    return memoryview(bytearray(build_batch([Record(timestamp=NOW_MS + i, value=value) for i, value in enumerate(values)], codec=codec)))


def with_twin(call: Callable[[], object]) -> float:
    """`call`, timed while validation uses the pure Python twin (but a native CRC: both have one, from the crc32c package if need be)."""
    saved = {name: getattr(validation, name) for name in ("quick", "skim")}
    for name in saved:
        setattr(validation, name, getattr(skim, name))
    try:
        return best_us(call)
    finally:
        for name, function in saved.items():
            setattr(validation, name, function)


def table() -> None:
    print(f"Python {sys.version.split()[0]}, native {'yes' if native.IS_NATIVE else 'no'}; us a batch (GB/s of what was sent)\n")
    print(f"{'batch':<14}{'codec':<7}{'bytes':>8}{'native':>18}{'twin':>18}{'CRC alone':>18}{'header alone':>14}")
    for name, count, size in SHAPES:
        for codec in CODECS:
            batch = batch_of(count, size, codec)
            report(name, codec.name.lower(), batch, AppendRules())
    batch = batch_of(256, 1024, Codec.NONE)
    report("256 x 1 KB", "->lz4", batch, AppendRules(codec=Codec.LZ4))
    report("1 x 100 B", "append", batch_of(1, 100, Codec.NONE), AppendRules(log_append_time=True))


def report(name: str, codec: str, batch: memoryview, rules: AppendRules) -> None:
    stamped = rules.log_append_time  # then each call needs a batch that isn't stamped yet

    def call() -> object:
        return validate(memoryview(bytearray(batch)) if stamped else batch, rules, NOW_MS)

    cells = [best_us(call), with_twin(call), best_us(lambda: native.crc32c(batch[21:]))]
    columns = "".join(f"{us:>9.2f} ({len(batch) / us / 1000:>5.2f})" for us in cells)
    print(f"{name:<14}{codec:<7}{len(batch):>8}{columns}{best_us(lambda: HEADER.unpack_from(batch)):>14.2f}")


def threads() -> None:
    """How two threads get on that validate at the same time: whether the GIL is handed over at the right size."""
    print(f"\n{'two threads, one batch':<26}{'alone us':>10}{'both us':>10}{'speed-up':>10}")
    for size in (100, 4_000, 16_000, 33_000, 64_000, 256_000, 1_000_000):
        batch = batch_of(1, size, Codec.NONE)
        rules = AppendRules()
        alone = best_us(partial(validate, batch, rules, NOW_MS))
        count = max(200, int(0.3e6 / alone))

        def work(batch: memoryview = batch, rules: AppendRules = rules, count: int = count) -> None:
            for _ in range(count):
                validate(batch, rules, NOW_MS)

        pair = [Thread(target=work), Thread(target=work)]
        start = perf_counter()
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        both = (perf_counter() - start) / (2 * count) * 1e6
        print(f"{len(batch):>8} bytes{'':<12}{alone:>10.2f}{both:>10.2f}{alone / both:>10.2f}")


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    table()
    threads()
