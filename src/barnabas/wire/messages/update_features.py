"""UpdateFeatures (57): versions 0-2. Finalizes feature levels (KIP-584).

1 downgrades by kind, dry runs (KIP-778); 2 no results for single features.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String


class UpdateFeaturesRequest(Message, key=57, versions="0-2", flexible="0+"):
    timeout_ms: Int32 = always(default=60000)
    feature_updates: Array[FeatureUpdateKey]
    validate_only: Bool = since(1, default=False)

    class FeatureUpdateKey(Struct):
        feature: String
        max_version_level: Int16
        allow_downgrade: Bool = between(0, 0, default=False)
        upgrade_type: Int8 = since(1, default=1)


class UpdateFeaturesResponse(Message, key=57, versions="0-2", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None
    results: Array[UpdatableFeatureResult] = between(0, 1, default=[], ignorable=True)

    class UpdatableFeatureResult(Struct):
        feature: String
        error_code: Int16
        error_message: String | None
