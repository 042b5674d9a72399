"""What a controller operation gives back: records to append and a response to send once they are committed, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from barnabas.wire.errors import Error
    from barnabas.wire.schema import Message

MAX_RECORDS_PER_USER_OPERATION = 10_000
TOO_LARGE = "Unable to perform excessively large batch operation."


class Result(NamedTuple):
    records: list[Message]
    response: Any
    is_atomic: bool = True
    """False: the records may be appended as several batches, in order."""


class ApiError(Exception):
    """An operation, or one part of it, that is refused. `message` None means that the code says it all."""

    def __init__(self, error: Error, message: str | None = None) -> None:
        super().__init__(error, message)
        self.error = error
        self.message = message

    def __str__(self) -> str:
        return self.error.name if self.message is None else f"{self.error.name}: {self.message}"
