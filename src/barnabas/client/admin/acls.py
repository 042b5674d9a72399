"""Access control lists: describe, create, delete (KIP-140, KIP-290, KIP-373)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.create_acls import CreateAclsRequest
from barnabas.wire.messages.delete_acls import DeleteAclsRequest
from barnabas.wire.messages.describe_acls import DescribeAclsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.create_acls import CreateAclsResponse
    from barnabas.wire.messages.delete_acls import DeleteAclsResponse
    from barnabas.wire.messages.describe_acls import DescribeAclsResponse


class ResourceType(IntEnum):
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    """ANY and MATCH are for filters: MATCH is every pattern that a name falls under."""

    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    ANY = 1
    DENY = 2
    ALLOW = 3


class Acl(NamedTuple):
    """Who (`User:name`) may or may not do what, from which host (`*`: any), with which resource."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission: int


class Filter(NamedTuple):
    """What an ACL must be; None and ANY fit everything."""

    resource_type: int = ResourceType.ANY
    resource_name: str | None = None
    pattern_type: int = PatternType.ANY
    principal: str | None = None
    host: str | None = None
    operation: int = Operation.ANY
    permission: int = Permission.ANY


async def describe(cluster: Cluster, wanted: Filter = Filter()) -> list[Acl]:  # noqa: B008 - immutable
    """The ACLs that fit. Raises SECURITY_DISABLED where no authorizer runs, and others."""
    reply: DescribeAclsResponse = await cluster.call(
        DescribeAclsRequest(
            resource_type_filter=wanted.resource_type,
            resource_name_filter=wanted.resource_name,
            pattern_type_filter=wanted.pattern_type,
            principal_filter=wanted.principal,
            host_filter=wanted.host,
            operation=wanted.operation,
            permission_type=wanted.permission,
        ),
        name="describeAcls",
    )
    check(reply.error_code, reply.error_message)
    return [
        Acl(found.resource_type, found.resource_name, found.pattern_type, acl.principal, acl.host, acl.operation, acl.permission_type)
        for found in reply.resources
        for acl in found.acls
    ]


async def create(cluster: Cluster, acls: Iterable[Acl]) -> dict[Acl, KafkaError | None]:
    """The outcome of each."""
    listed = list(acls)
    request = CreateAclsRequest(
        creations=[
            CreateAclsRequest.AclCreation(
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                resource_pattern_type=acl.pattern_type,
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission,
            )
            for acl in listed
        ]
    )
    reply: CreateAclsResponse = await cluster.call_controller(
        request, name="createAcls", retry_on=lambda r: any(result.error_code == Error.NOT_CONTROLLER for result in r.results)
    )
    outcomes = (KafkaError(error_of(result.error_code), result.error_message) if result.error_code else None for result in reply.results)
    return dict(zip(listed, outcomes, strict=False))


async def delete(cluster: Cluster, wanted: Iterable[Filter]) -> dict[Filter, list[Acl] | KafkaError]:
    """What each filter deleted, or its error."""
    listed = list(wanted)
    request = DeleteAclsRequest(
        filters=[
            DeleteAclsRequest.Filter(
                resource_type_filter=each.resource_type,
                resource_name_filter=each.resource_name,
                pattern_type_filter=each.pattern_type,
                principal_filter=each.principal,
                host_filter=each.host,
                operation=each.operation,
                permission_type=each.permission,
            )
            for each in listed
        ]
    )
    reply: DeleteAclsResponse = await cluster.call_controller(
        request, name="deleteAcls", retry_on=lambda r: any(result.error_code == Error.NOT_CONTROLLER for result in r.filter_results)
    )
    return {each: _deleted(result) for each, result in zip(listed, reply.filter_results, strict=False)}


def _deleted(result: DeleteAclsResponse.FilterResult) -> list[Acl] | KafkaError:
    for code, message in ((result.error_code, result.error_message), *((acl.error_code, acl.error_message) for acl in result.matching_acls)):
        if code:
            return KafkaError(error_of(code), message)
    return [
        Acl(acl.resource_type, acl.resource_name, acl.pattern_type, acl.principal, acl.host, acl.operation, acl.permission_type)
        for acl in result.matching_acls
    ]
