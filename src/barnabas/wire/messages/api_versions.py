"""ApiVersions (18): versions 0-4, flexible from 3. What a node understands.

3 the client's name and version; an unknown version is answered in version 0 with error 35 and this API's own range (KIP-511); features,
tagged (KIP-584); 4 features whose lowest version is 0. The reply's header never has tags: whoever asks doesn't know yet what is understood.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since, tagged
from barnabas.wire.types import Array, Bool, Int16, Int32, Int64, String


class ApiVersionsRequest(Message, key=18, versions="0-4", flexible="3+"):
    client_software_name: String = since(3, default="", ignorable=True)
    client_software_version: String = since(3, default="", ignorable=True)


class ApiVersionsResponse(Message, key=18, versions="0-4", flexible="3+"):
    error_code: Int16
    api_keys: Array[ApiVersion]
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    supported_features: Array[SupportedFeatureKey] = tagged(0, first=3, default=[], ignorable=True)
    finalized_features_epoch: Int64 = tagged(1, first=3, default=-1, ignorable=True)
    finalized_features: Array[FinalizedFeatureKey] = tagged(2, first=3, default=[], ignorable=True)
    zk_migration_ready: Bool = tagged(3, first=3, default=False, ignorable=True)

    class ApiVersion(Struct):
        api_key: Int16
        min_version: Int16
        max_version: Int16

    class SupportedFeatureKey(Struct):
        name: String = since(3, default="")
        min_version: Int16 = since(3, default=0)
        max_version: Int16 = since(3, default=0)

    class FinalizedFeatureKey(Struct):
        name: String = since(3, default="")
        max_version_level: Int16 = since(3, default=0)
        min_version_level: Int16 = since(3, default=0)
