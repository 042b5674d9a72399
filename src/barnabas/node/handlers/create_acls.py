"""CreateAcls (30), versions 1-3. Needs Alter on the cluster. KIP-140.

No node has an authorizer yet, so the answer is Apache Kafka's without one. As there, an ACL with an unknown (0) element ends the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_acls import CreateAclsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.create_acls import CreateAclsRequest


def handle(request: CreateAclsRequest, call: Call) -> CreateAclsResponse | None:
    if any(0 in (each.resource_pattern_type, each.resource_type, each.permission_type, each.operation) for each in request.creations):
        call.close()
        return None
    result = CreateAclsResponse.AclCreationResult(error_code=Error.SECURITY_DISABLED, error_message="No Authorizer is configured.")
    return CreateAclsResponse(throttle_time_ms=0, results=[result] * len(request.creations))
