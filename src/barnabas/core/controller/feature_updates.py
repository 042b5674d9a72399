"""UpdateFeatures (57): may a feature's level change, and the records that change it. All or nothing.

Source: Apache's `FeatureControlManager`, `ConfigurationControlManager.updateFeatures`; C35-C37, KIP-584.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.configs import MIN_INSYNC_REPLICAS
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.features import (
    ELIGIBLE_LEADER_REPLICAS_VERSION,
    KRAFT_VERSION,
    METADATA_CHANGED_AT,
    METADATA_VERSION,
    MV_3_7_IV0_CONTROLLER_REGISTRATION,
    SUPPORTED,
    required_metadata_version,
)
from barnabas.core.metadata.image import BROKER
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import ConfigRecord, FeatureLevelRecord, NoOpRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from barnabas.core.controller.controller import Controller
    from barnabas.wire.messages.update_features import UpdateFeaturesRequest
    from barnabas.wire.schema import Message

UPGRADE = 1
SAFE_DOWNGRADE = 2
UNSAFE_DOWNGRADE = 3
_LAST_VERSION_WITH_ALLOW_DOWNGRADE = 0
_LAST_VERSION_WITH_RESULTS = 1


def update_features(
    controller: Controller, request: UpdateFeaturesRequest, version: int, upgrade_kraft_version: Callable[[int, bool], None] | None = None
) -> Result:
    """`upgrade_kraft_version(level, validate_only)` asks the quorum, which alone can change that level; it raises ApiError where it may not."""
    from barnabas.wire.messages.update_features import UpdateFeaturesResponse

    wanted = {update.feature: (update.max_version_level, _upgrade_type(update, version)) for update in request.feature_updates}
    answer = UpdateFeaturesResponse(throttle_time_ms=0, error_code=Error.NONE, error_message=None)
    try:
        records = _updates(controller, wanted, request.validate_only, upgrade_kraft_version)
    except ApiError as error:
        answer.error_code = error.error
        answer.error_message = f"The update failed for all features since the following feature had an error: {error.message}"
        return Result([], answer)
    if version <= _LAST_VERSION_WITH_RESULTS:
        answer.results = [
            UpdateFeaturesResponse.UpdatableFeatureResult(feature=feature, error_code=Error.NONE, error_message=Error.NONE.name) for feature in wanted
        ]
    if request.validate_only:
        return Result([], answer)
    if wanted.get(ELIGIBLE_LEADER_REPLICAS_VERSION, (0, 0))[0] > 0:
        records = [*_elr_configs(controller), *records]
    return Result(records, answer)


def _upgrade_type(update: UpdateFeaturesRequest.FeatureUpdateKey, version: int) -> int:
    if version <= _LAST_VERSION_WITH_ALLOW_DOWNGRADE:
        return SAFE_DOWNGRADE if update.allow_downgrade else UPGRADE
    return update.upgrade_type


def _updates(
    controller: Controller, wanted: dict[str, tuple[int, int]], validate_only: bool, upgrade_kraft_version: Callable[[int, bool], None] | None
) -> list[Message]:
    proposed_metadata_version = wanted.get(METADATA_VERSION, (controller.features.level, UPGRADE))[0]
    present = controller.features.finalized()
    records: list[Message] = []
    for feature, (level, upgrade_type) in wanted.items():
        _check(controller, feature, present.get(feature, 0), level, upgrade_type)
        if feature == KRAFT_VERSION:
            if level != present[KRAFT_VERSION] and (upgrade_type != UPGRADE or upgrade_kraft_version is None):
                raise _invalid(feature, level, "Can't downgrade the version of this feature.")
            continue
        needed = required_metadata_version(feature, level)
        if proposed_metadata_version < needed:
            raise _invalid(feature, level, f"It needs {METADATA_VERSION} {needed} or above.")
        records.append(FeatureLevelRecord(name=feature, feature_level=level))
    level = wanted.get(KRAFT_VERSION, (present[KRAFT_VERSION], UPGRADE))[0]
    if level != present[KRAFT_VERSION] and upgrade_kraft_version is not None:
        upgrade_kraft_version(level, validate_only)  # last, since the quorum can't take it back
        records.append(NoOpRecord())  # something to wait for
    return records


def _check(controller: Controller, feature: str, present: int, level: int, upgrade_type: int) -> None:
    if upgrade_type not in (UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE):
        raise _invalid(feature, level, "The controller does not support the given upgrade type.")
    if level < 0:
        raise _invalid(feature, level, "A feature version cannot be less than 0.")
    for who, (least, greatest) in _supporters(controller, feature):
        if not least <= level <= greatest:
            supported = f"{least}-{greatest}" if least != greatest else str(least)
            raise _invalid(feature, level, f"{who} does not support this feature." if greatest == 0 else f"{who} only supports versions {supported}")
    if level < present and upgrade_type == UPGRADE:
        raise _invalid(
            feature, level, "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
        )
    if level > present and upgrade_type != UPGRADE:
        raise _invalid(feature, level, "Can't downgrade to a newer version.")
    if feature == METADATA_VERSION and any(level < changed <= present for changed in METADATA_CHANGED_AT):
        why = (
            "Unsafe metadata downgrade is not supported in this version."
            if upgrade_type == UNSAFE_DOWNGRADE
            else "Refusing to perform the requested downgrade because it might delete metadata information."
        )
        raise ApiError(Error.INVALID_UPDATE_VERSION, f"Unsupported {METADATA_VERSION} downgrade from {present} to {level}. {why}")


def _supporters(controller: Controller, feature: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every node that must be able to live with the new level, and the levels it supports."""
    yield f"Local controller {controller.settings.node_id}", SUPPORTED.get(feature, (0, 0))
    for broker in controller.brokers.registrations.current.values():
        yield f"Broker {broker.id}", broker.features.get(feature, (0, 0))
    if controller.features.level < MV_3_7_IV0_CONTROLLER_REGISTRATION:
        return
    registered = controller.brokers.controllers.current
    for other in registered.values():
        if other.id != controller.settings.node_id:
            yield f"Controller {other.id}", other.features.get(feature, (0, 0))
    for voter in controller.settings.voter_ids:
        if voter != controller.settings.node_id and voter not in registered:
            raise _invalid(feature, -1, f"controller {voter} has not registered, and may not support this feature")


def _elr_configs(controller: Controller) -> list[Message]:
    """C37: with ELR the minimum ISR is the cluster's, not a broker's."""
    records: list[Message] = []
    if MIN_INSYNC_REPLICAS not in controller.configs.cluster:
        value = str(controller.configs.rules.static_min_insync_replicas())
        records.append(ConfigRecord(resource_type=BROKER, resource_name="", name=MIN_INSYNC_REPLICAS, value=value))
    for (resource_type, name), configs in controller.configs.data.current.items():
        if resource_type == BROKER and name and MIN_INSYNC_REPLICAS in configs:
            records.append(ConfigRecord(resource_type=BROKER, resource_name=name, name=MIN_INSYNC_REPLICAS, value=None))
    return records


def _invalid(feature: str, level: int, why: str) -> ApiError:
    return ApiError(Error.INVALID_UPDATE_VERSION, f"Invalid update version {level} for feature {feature}. {why}")
