"""What can go wrong between a client and a cluster, named as Kafka's own clients name it.

Owns: the exception and, for the tools, the Java class of an error code. The codes are `wire.errors`, their texts `wire.error_messages`.
"""

from __future__ import annotations

from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error

_PACKAGE = "org.apache.kafka.common.errors."
# Where the class isn't the code's name in camel case plus "Exception".
_JAVA_CLASSES = {
    "UNKNOWN_SERVER_ERROR": "UnknownServerException",
    "CORRUPT_MESSAGE": "CorruptRecordException",
    "REQUEST_TIMED_OUT": "TimeoutException",
    "MESSAGE_TOO_LARGE": "RecordTooLargeException",
    "STALE_CONTROLLER_EPOCH": "ControllerMovedException",
    "OFFSET_METADATA_TOO_LARGE": "OffsetMetadataTooLarge",
    "NETWORK_EXCEPTION": "NetworkException",
    "INVALID_TOPIC_EXCEPTION": "InvalidTopicException",
    "RECORD_LIST_TOO_LARGE": "RecordBatchTooLargeException",
    "TOPIC_ALREADY_EXISTS": "TopicExistsException",
    "INVALID_CONFIG": "InvalidConfigurationException",
    "OUT_OF_ORDER_SEQUENCE_NUMBER": "OutOfOrderSequenceException",
    "DUPLICATE_SEQUENCE_NUMBER": "DuplicateSequenceException",
    "INVALID_PRODUCER_ID_MAPPING": "InvalidPidMappingException",
    "INVALID_TRANSACTION_TIMEOUT": "InvalidTxnTimeoutException",
    "KAFKA_STORAGE_ERROR": "KafkaStorageException",
    "SASL_AUTHENTICATION_FAILED": "SaslAuthenticationException",
    "DELEGATION_TOKEN_AUTH_DISABLED": "DelegationTokenDisabledException",
    "NON_EMPTY_GROUP": "GroupNotEmptyException",
    "PRINCIPAL_DESERIALIZATION_FAILURE": "PrincipalDeserializationException",
    "FETCH_SESSION_TOPIC_ID_ERROR": "FetchSessionTopicIdException",
    "INVALID_REGULAR_EXPRESSION": "InvalidRegularExpression",
    "LISTENER_NOT_FOUND": "ListenerNotFoundException",
}


def java_class_of(error: Error) -> str:
    """The class by which Apache's clients raise this code."""
    name = error.name
    if name not in _JAVA_CLASSES:
        stem = name.replace("_AUTHORIZATION_FAILED", "_AUTHORIZATION")
        return _PACKAGE + "".join(word.capitalize() for word in stem.split("_")) + "Exception"
    return _PACKAGE + _JAVA_CLASSES[name]


class KafkaError(Exception):
    """An error that a reply carried, or that stands for what happened on the way. `str()` is its text."""

    def __init__(self, error: Error, message: str | None = None) -> None:
        super().__init__(message if message else MESSAGES[error])
        self.error = error

    @property
    def retriable(self) -> bool:
        return bool(self.error.retriable)

    @property
    def java_class(self) -> str:
        return java_class_of(self.error)


class ConnectionLost(KafkaError):
    """The peer couldn't be reached, or hung up before it answered. Another attempt may help."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(Error.NETWORK_EXCEPTION, message)


class WrongProtocol(KafkaError):
    """The peer speaks another security protocol than we do, or isn't whom we trust. Another attempt doesn't help; the message says what does."""

    def __init__(self, message: str, java_class: str) -> None:
        super().__init__(Error.NETWORK_EXCEPTION, message)
        self._java_class = _PACKAGE + java_class

    @property
    def retriable(self) -> bool:
        return False

    @property
    def java_class(self) -> str:
        return self._java_class


class TimedOut(KafkaError):
    """No answer within the time given to a call."""

    def __init__(self, message: str) -> None:
        super().__init__(Error.REQUEST_TIMED_OUT, message)


class InvalidBootstrap(ValueError):
    """A bootstrap address that names no host and port, or none that resolves."""

    java_class = "org.apache.kafka.common.config.ConfigException"


def error_of(code: int) -> Error:
    """The error of a code in a reply; one that this release doesn't know is UNKNOWN_SERVER_ERROR, as for Kafka's own clients."""
    try:
        return Error(code)
    except ValueError:
        return Error.UNKNOWN_SERVER_ERROR


def check(code: int, message: str | None = None) -> None:
    """Raises KafkaError unless `code` is 0."""
    if code:
        raise KafkaError(error_of(code), message)
