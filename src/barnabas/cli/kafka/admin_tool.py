"""The frame of Kafka's smaller tools: an admin client from options, and one way to fail, with status 1."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .java import Thrown, java_message, java_text
from .options import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .flat_arguments import Given


class Terse(ValueError):
    """A refusal without a stack trace."""


def guarded(execute: Callable[[], None]) -> int:
    """The status of a tool that tells a failure by its message and its stack trace's first line."""
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    try:
        execute()
    except Terse as error:
        _say(f"{error}\n")
    except InvalidBootstrap as error:
        message = "Failed to create new KafkaAdminClient"
        _say(f"{message}\norg.apache.kafka.common.KafkaException: {message}\nCaused by: {java_text(error)}\n\n")
    except (KafkaError, OptionError, Thrown, OSError, ValueError) as error:
        _say(f"{java_message(error)}\n{java_text(error)}{getattr(error, 'trace', '')}\n\n")
    else:
        return 0
    return 1


def _say(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(text)


def client_properties(path: str | None, bootstrap: str) -> dict[str, str]:
    """The properties of a file, if there is one, and where to start. Raises OSError, ConfigException."""
    from .session import load_properties

    return {**(load_properties(path) if path is not None else {}), "bootstrap.servers": bootstrap}


def bootstrapped(path: str | None, given: Given) -> dict[str, str]:
    """As `client_properties` for tools with --bootstrap-server and --bootstrap-controller, of which the one that is given counts."""
    server, controller = given.one("--bootstrap-server"), given.one("--bootstrap-controller")
    properties = client_properties(path, server or "")
    properties.pop("bootstrap.controllers", None)
    if server is None and controller is not None:
        del properties["bootstrap.servers"]
        properties["bootstrap.controllers"] = controller
    return properties
