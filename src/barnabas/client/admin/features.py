"""Feature levels: what nodes support, what the cluster has agreed on, and changing that. KIP-584, KIP-778, KIP-1022."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas import SOFTWARE_NAME, __version__
from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.messages.update_features import UpdateFeaturesRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.api_versions import ApiVersionsResponse
    from barnabas.wire.messages.update_features import UpdateFeaturesResponse

UPGRADE = 1
SAFE_DOWNGRADE = 2
UNSAFE_DOWNGRADE = 3


class Features(NamedTuple):
    """`supported` by name: the lowest and highest level of the node that was asked; `finalized`: the cluster's; `epoch` None where it isn't said."""

    supported: dict[str, tuple[int, int]]
    finalized: dict[str, int]
    epoch: int | None


async def describe(cluster: Cluster, *, node_id: int | None = None) -> Features:
    """Of one node, or of any broker; through controllers, of their active one."""
    if cluster.controllers:
        await cluster.refresh_controllers()
        node_id = cluster.controller_id if node_id is None else node_id
    elif node_id is not None:
        await cluster.locate(node_id)
    request = ApiVersionsRequest(client_software_name=SOFTWARE_NAME, client_software_version=__version__)
    reply: ApiVersionsResponse = await cluster.call(request, name="describeFeatures", node_id=node_id)
    check(reply.error_code)
    return Features(
        {feature.name: (feature.min_version, feature.max_version) for feature in reply.supported_features},
        {feature.name: feature.max_version_level for feature in reply.finalized_features},
        reply.finalized_features_epoch if reply.finalized_features_epoch >= 0 else None,
    )


async def update(cluster: Cluster, levels: Mapping[str, int], kind: int = UPGRADE, *, validate_only: bool = False) -> dict[str, KafkaError | None]:
    """Sets levels, 0 to disable; the outcome of each feature. Newer clusters take all of them or none."""
    request = UpdateFeaturesRequest(
        timeout_ms=cluster.settings.request_timeout_ms,
        feature_updates=[
            UpdateFeaturesRequest.FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=kind) for name, level in levels.items()
        ],
        validate_only=validate_only,
    )
    reply: UpdateFeaturesResponse = await cluster.call_controller(
        request, name="updateFeatures", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER
    )
    if reply.error_code:
        return dict.fromkeys(levels, KafkaError(error_of(reply.error_code), reply.error_message))
    outcomes: dict[str, KafkaError | None] = dict.fromkeys(levels)
    for result in reply.results:
        if result.error_code:
            outcomes[result.feature] = KafkaError(error_of(result.error_code), result.error_message)
    return outcomes
