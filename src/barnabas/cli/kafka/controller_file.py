"""What kafka-metadata-quorum reads of a new controller's own properties file: its id, its metadata directory, its listeners."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .admin_tool import Terse
from .java import Thrown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.client.admin.quorum import Endpoint

_LISTENER = re.compile(r"([^:/]*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)")
_WHAT = "Is this a valid controller configuration file?"


def controller_id(properties: Mapping[str, str]) -> int:
    """Raises Terse, Thrown."""
    text = properties.get("node.id")
    if text is None:
        raise Terse(f"node.id not found in configuration file. {_WHAT}")
    if not re.fullmatch(r"[+-]?\d{1,10}", text):
        raise Thrown(f'For input string: "{text}"', "java.lang.NumberFormatException")
    if int(text) < 0:
        raise Terse(f"node.id was negative in configuration file. {_WHAT}")
    if "controller" not in properties.get("process.roles", ""):
        raise Terse(f"process.roles did not contain 'controller' in configuration file. {_WHAT}")
    return int(text)


def metadata_directory(properties: Mapping[str, str]) -> str:
    """Raises Terse."""
    if "metadata.log.dir" in properties:
        return properties["metadata.log.dir"]
    if "log.dirs" in properties:
        return properties["log.dirs"].strip().split(",")[0]
    raise Terse(f"Neither metadata.log.dir nor log.dirs were found. {_WHAT}")


def metadata_directory_id(directory: str) -> bytes:
    """Raises Terse."""
    from barnabas.storage.meta_properties import MetaPropertiesError, read_meta_properties

    try:
        directory_id = read_meta_properties(directory).directory_id
    except (OSError, MetaPropertiesError):
        raise Terse(f"Unable to read meta.properties from {directory}") from None
    if directory_id is None:
        raise Terse(f"No directory id found in {directory}")
    return directory_id


def controller_endpoints(properties: Mapping[str, str]) -> list[Endpoint]:
    """The controllers' listeners as they are advertised, else as they listen. Raises Terse, Thrown."""
    from barnabas.client.admin.quorum import Endpoint

    known: dict[str, Endpoint] = {}
    for key in ("listeners", "advertised.listeners"):
        for entry in filter(None, re.split(r"\s*,\s*", properties.get(key, "").strip())):
            found = _LISTENER.fullmatch(entry)
            if found is None:
                raise Thrown(f"Unable to parse {entry} to a broker endpoint", "org.apache.kafka.common.KafkaException")
            name = found[1].upper()
            known[name] = Endpoint(name, found[2] or "localhost", int(found[3]))
    if "controller.listener.names" not in properties:
        raise Terse(f"controller.listener.names was not found. {_WHAT}")
    wanted = [name.upper() for name in properties["controller.listener.names"].split(",")]
    for name in wanted:
        if name not in known:
            raise Terse(f"Cannot find information about controller listener name: {name}")
    return [known[name] for name in dict.fromkeys(wanted)]
