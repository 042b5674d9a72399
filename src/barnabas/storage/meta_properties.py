"""meta.properties: whose log directory this is (D11-D17).

Owns reading, writing and comparing the files of all directories of a node, and new directory ids. Doesn't format: that is `format`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from ..wire.types import uuid_from_text, uuid_text
from .atomic_file import replace_file
from .checkpoint_file import parse_integer
from .properties_file import format_properties, read_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FILE_NAME = "meta.properties"


class MetaPropertiesError(ValueError):
    """The node must not start on these directories; the message says which file and why."""


class MetaProperties(NamedTuple):
    cluster_id: str | None = None
    node_id: int | None = None
    directory_id: bytes | None = None
    version: int = 1

    def entries(self) -> list[tuple[str, str]]:
        """Keys and values in the order in which Apache's file has them."""
        found = [
            ("broker.id" if self.version == 0 else "node.id", None if self.node_id is None else str(self.node_id)),
            ("directory.id", None if self.directory_id is None else uuid_text(self.directory_id)),
            ("version", str(self.version)),
            ("cluster.id", self.cluster_id),
        ]
        return [(key, value) for key, value in found if value is not None]


def is_reserved(directory_id: bytes) -> bool:
    """Whether an id is one of the hundred that mean something else than a directory (D10)."""
    return directory_id[:8] == bytes(8) and (directory_id[8] >= 0x80 or int.from_bytes(directory_id[8:], "big") < 100)


def new_directory_id(taken: Iterable[bytes] = (), random: Callable[[int], bytes] = os.urandom) -> bytes:
    """An id for a directory: none of `taken`, not reserved, its text not beginning with a dash."""
    taken = set(taken)
    while True:
        directory_id = random(16)
        if directory_id not in taken and not is_reserved(directory_id) and not uuid_text(directory_id).startswith("-"):
            return directory_id


def read_meta_properties(directory: str) -> MetaProperties:
    """Read one directory's file. Raises FileNotFoundError, OSError, MetaPropertiesError."""
    path = os.path.join(directory, FILE_NAME)
    try:
        values = {key: value for key, value, _ in read_properties(path)}
        version = _integer(values, "version", 0)
        if version not in (0, 1):
            raise ValueError(f"version={version} is unknown")
        node_id = _integer(values, "broker.id" if version == 0 else "node.id", None)
        cluster_id = values.get("cluster.id")
        directory_id = uuid_from_text(values["directory.id"]) if "directory.id" in values else None
        for key, value in (("node.id", node_id), ("cluster.id", cluster_id)):
            if version == 1 and value is None:
                raise ValueError(f"{key} is missing")
    except ValueError as error:
        raise MetaPropertiesError(f"{path}: {error}. Repair the file by the ones of the node's other directories, or empty the directory.") from None
    return MetaProperties(cluster_id, node_id, directory_id, version or 0)


def _integer(values: dict[str, str], key: str, default: int | None) -> int | None:
    if key not in values:
        return default
    try:
        return parse_integer(values[key], 32)
    except ValueError as error:
        raise ValueError(f"{key} is unreadable, {error}") from None


def write_meta_properties(directory: str, properties: MetaProperties) -> None:
    """Replace one directory's file, durably. Raises OSError."""
    written_at = time.strftime("%a %b %d %H:%M:%S %Z %Y")
    text = format_properties(properties.entries(), ["", written_at])
    replace_file(os.path.join(directory, FILE_NAME), text.encode())


class MetaPropertiesEnsemble:
    """The files of all log directories of one node."""

    __slots__ = ("empty", "failed", "found")

    def __init__(self) -> None:
        self.found: dict[str, MetaProperties] = {}
        self.empty: list[str] = []
        self.failed: dict[str, str] = {}

    @classmethod
    def load(cls, directories: Iterable[str]) -> MetaPropertiesEnsemble:
        """Read them in the order of their paths; a directory is found, empty (no file) or failed (with the reason)."""
        ensemble = cls()
        for directory in sorted(set(directories)):
            try:
                ensemble.found[directory] = read_meta_properties(directory)
            except (FileNotFoundError, NotADirectoryError):
                ensemble.empty.append(directory)
            except (OSError, MetaPropertiesError) as error:
                ensemble.failed[directory] = str(error)
        return ensemble

    def verify(self, cluster_id: str | None = None, node_id: int | None = None) -> None:
        """Raise MetaPropertiesError unless all agree with one another and with what is expected."""
        seen: dict[bytes, str] = {}
        for directory, properties in self.found.items():
            path = os.path.join(directory, FILE_NAME)
            if properties.cluster_id is not None:
                if cluster_id not in (None, properties.cluster_id):
                    raise MetaPropertiesError(f"Invalid cluster.id in: {path}. Expected {cluster_id}, but read {properties.cluster_id}")
                cluster_id = properties.cluster_id
            if properties.node_id is not None:
                if node_id not in (None, properties.node_id):
                    raise MetaPropertiesError(
                        f"Stored node id {properties.node_id} doesn't match previous node id {node_id} in {path}. "
                        "Give the node the id of its directories, or empty the directories for a new node."
                    )
                node_id = properties.node_id
            if properties.directory_id is not None:
                text = uuid_text(properties.directory_id)
                if is_reserved(properties.directory_id):
                    raise MetaPropertiesError(f"Invalid reserved directory ID {text} found in {directory}")
                if properties.directory_id in seen:
                    raise MetaPropertiesError(
                        f"Duplicate directory ID {text} found. It was the ID of {seen[properties.directory_id]}, but also of {directory}. "
                        "Remove the directory.id line from the copy."
                    )
                seen[properties.directory_id] = directory

    def verify_for_start(self, metadata_directory: str, cluster_id: str | None, node_id: int) -> None:
        """What a starting node checks: all of `verify`, every directory formatted, the metadata directory readable (D13)."""
        if metadata_directory in self.failed:
            raise MetaPropertiesError(self.failed[metadata_directory])
        if self.empty:
            names = ", ".join(self.empty)
            raise MetaPropertiesError(f"No `{FILE_NAME}` found in {names} (have you run `kafka-storage.sh` to format the directory?)")
        self.verify(cluster_id, node_id)

    def complete_directory_ids(self) -> list[str]:
        """Give an id to every directory that has none and rewrite its file (D14). Returns the directories changed. Raises OSError."""
        changed = []
        for directory, properties in self.found.items():
            if properties.directory_id is None:
                taken = [other.directory_id for other in self.found.values() if other.directory_id is not None]
                self.found[directory] = properties._replace(directory_id=new_directory_id(taken))
                write_meta_properties(directory, self.found[directory])
                changed.append(directory)
        return changed
