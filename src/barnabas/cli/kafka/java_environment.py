"""What Kafka's start scripts say to a JVM by variables of the environment, and what of it a node takes.

Owns: LOG_DIR and log4j's configuration become options of the node; the heap, the collector, JMX and agents have no meaning for it, which is said once;
an option that no JVM of Kafka 4 knows is refused as the JVM refuses it. Source: kafka-run-class.sh, kafka-server-start.sh.
"""

from __future__ import annotations

TYPE_CHECKING = False  # a node's start waits for this module, and typing takes longer than all of it
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OPTIONS = ("KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_JMX_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_OPTS")
_UNRECOGNISED = {"MinMetaspaceSize": "MetaspaceSize"}
"""Written in guides, known to no JVM -> what is meant."""
_LOG4J = ("log4j2.configurationFile", "log4j.configurationFile", "log4j.configuration")
_LOGS = "kafka.logs.dir"
_UNUSED = {
    "KAFKA_HEAP_OPTS": "a node takes the memory that it needs",
    "KAFKA_JVM_PERFORMANCE_OPTS": "a node has no collector to tune",
    "KAFKA_GC_LOG_OPTS": "a node has no collector to write about",
    "KAFKA_JMX_OPTS": "a node has no JMX",
    "JMX_PORT": "a node has no JMX",
}


class ForNode:
    """`options`: words for the node's command line. `notes`: what is set and has no meaning here. `refusal`: why nothing can start."""

    def __init__(self, options: Sequence[str] = (), notes: Sequence[str] = (), refusal: str = "") -> None:
        self.options = options
        self.notes = notes
        self.refusal = refusal


def for_node(environment: Mapping[str, str], *, as_daemon: bool) -> ForNode:
    options: dict[str, list[str]] = {}
    for name in filter(environment.get, _OPTIONS):
        from shlex import split  # seldom needed

        try:
            options[name] = split(environment[name])
        except ValueError as error:
            return ForNode(refusal=f"{name}={environment[name]}: {error}")
    words = [word for found in options.values() for word in found]
    for word in words:
        flag = word.removeprefix("-XX:").lstrip("+-").partition("=")
        if word.startswith("-XX:") and flag[0] in _UNRECOGNISED:
            instead = f"-XX:{_UNRECOGNISED[flag[0]]}{flag[1]}{flag[2]}"
            return ForNode(
                refusal=f"Unrecognized VM option '{word.removeprefix('-XX:')}'\nNo JVM starts with it: write {instead}, or leave it out for this node"
            )
    properties = _system_properties(words)
    file = next((properties[name] for name in _LOG4J if name in properties), None)
    directory = properties.get(_LOGS) or environment.get("LOG_DIR") or ("logs" if as_daemon or file else "")
    asked = ["--logs", directory] if directory else []
    if file is not None:
        asked += ["--log4j", file.removeprefix("file:").replace("///", "/", 1)]
    notes = [f"{name} has no meaning here: {why}" for name, why in _UNUSED.items() if environment.get(name)]
    return ForNode(asked, (*notes, *_of_other_options(options.get("KAFKA_OPTS", ()))))


def _system_properties(words: Iterable[str]) -> dict[str, str]:
    pairs = (word.removeprefix("-D").partition("=") for word in words if word.startswith("-D"))
    return {name: value for name, _, value in pairs}


def _of_other_options(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        if word.startswith(("-javaagent:", "-agentlib:", "-agentpath:")):
            yield f"KAFKA_OPTS {word} has no meaning here: a node loads no agents of a JVM"
        elif not word.startswith(tuple(f"-D{name}=" for name in (*_LOG4J, _LOGS))):
            yield f"KAFKA_OPTS {word} has no meaning here: a node is no JVM"
