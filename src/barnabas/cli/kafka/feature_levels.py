"""Feature levels as kafka-features and kafka-storage read and explain them; without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.storage.checkpoint_file import parse_integer
from barnabas.storage.release_features import FEATURES, LATEST_STABLE_LEVEL, METADATA_VERSION, METADATA_VERSION_NAMES, level_of_version

if TYPE_CHECKING:
    from collections.abc import Iterator


def name_and_level(text: str) -> tuple[str, int]:
    """`feature=level`. Raises ValueError."""
    name, equals, level = text.partition("=")
    if not equals:
        raise ValueError(f"Can't parse feature=level string {text}: equals sign not found.")
    try:
        return name.strip(), parse_integer(level.strip(), 16)
    except ValueError:
        raise ValueError(f"Can't parse feature=level string {text}: unable to parse {level.strip()} as a short.") from None


def version_mapping(release: str | None) -> Iterator[str]:
    """The levels that go with a release, else with the latest, one a line. Raises ValueError."""
    text = release or METADATA_VERSION_NAMES[LATEST_STABLE_LEVEL]
    level = level_of_version(text, unstable=True)
    yield f"{METADATA_VERSION}={level} ({text})"
    for feature in FEATURES:
        yield f"{feature.name}={feature.default_level(level)}"


def dependencies(name: str, level: int, unknown_level: str) -> Iterator[str]:
    """What a level depends on. Raises ValueError: with `unknown_level` if the feature has no such level."""
    if name == METADATA_VERSION:
        if level not in METADATA_VERSION_NAMES:
            raise ValueError(f"Unknown metadata.version {level}")
        yield f"{name}={level} ({METADATA_VERSION_NAMES[level]}) has no dependencies."
        return
    feature = next((known for known in FEATURES if known.name == name), None)
    if feature is None:
        raise ValueError(f"Unknown feature: {name}")
    if not 0 <= level < len(feature.since):
        raise ValueError(unknown_level)
    required = feature.requires.get(level)
    if required is None:
        yield f"{name}={level} has no dependencies."
    else:
        yield f"{name}={level} requires:"
        yield f"    {METADATA_VERSION}={required} ({METADATA_VERSION_NAMES[required]})"
