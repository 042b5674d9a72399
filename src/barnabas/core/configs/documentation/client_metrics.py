"""What the keys of clients' metrics subscriptions do (KIP-714)."""

from __future__ import annotations

from .texts import texts

CLIENT_METRICS: dict[str, str] = texts("""
interval.ms
    Milliseconds between two pushes of a client's metrics.
match
    Which clients the subscription is for: pairs such as client_id=orders-.* with a pattern each, all of which must fit; empty is every client.
metrics
    Prefixes of the metrics to push, with commas between; * is all of them, and an empty list stops them.
""")
