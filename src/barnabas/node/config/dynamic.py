"""Broker configs that someone wants to change while this node runs: judged here, as the node knows what it runs with (C58)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.configs.broker_alterations import after_increments, validate_broker
from barnabas.core.configs.error import ConfigError
from barnabas.core.controller.result import ApiError
from barnabas.core.metadata.image import BROKER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from barnabas.core.controller.config_changes import Operation
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.config.node_config import NodeConfig

    Judge = Callable[[str, Sequence[tuple[str, Operation]]], None]
    """Given "" (all brokers) or a broker's id, and what is asked for: raises ApiError if it may not be."""


def judge_increments(config: NodeConfig, image: MetadataImage) -> Judge:
    """For IncrementalAlterConfigs: what is stored stays unless it is named."""

    def judge(name: str, operations: Sequence[tuple[str, Operation]]) -> None:
        asked = [(key, operation, value) for key, (operation, value) in operations]
        _refuse(lambda: _validate(config, name, after_increments(image.config(BROKER, name), asked, per_broker=bool(name))))

    return judge


def judge_replacement(config: NodeConfig) -> Judge:
    """For AlterConfigs: what isn't named goes."""

    def judge(name: str, operations: Sequence[tuple[str, Operation]]) -> None:
        _refuse(lambda: _validate(config, name, {key: value or "" for key, (_, value) in operations}))

    return judge


def _validate(config: NodeConfig, name: str, configs: Mapping[str, str]) -> None:
    validate_broker(configs, config.static, config.cluster, config.broker, config.values, per_broker=bool(name))


def _refuse(validate: Callable[[], None]) -> None:
    try:
        validate()
    except ConfigError as error:
        raise ApiError(error.error, error.message) from None
