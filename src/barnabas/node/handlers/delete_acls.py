"""DeleteAcls (31), versions 1-3. Needs Alter on the cluster. KIP-140.

No node has an authorizer yet, so the answer is Apache Kafka's without one. As there, a filter with an unknown (0) element ends the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_acls import DeleteAclsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.delete_acls import DeleteAclsRequest


def handle(request: DeleteAclsRequest, call: Call) -> DeleteAclsResponse | None:
    if any(0 in (each.pattern_type_filter, each.resource_type_filter, each.operation, each.permission_type) for each in request.filters):
        call.close()
        return None
    result = DeleteAclsResponse.FilterResult(error_code=Error.SECURITY_DISABLED, error_message="No Authorizer is configured.", matching_acls=[])
    return DeleteAclsResponse(throttle_time_ms=0, filter_results=[result] * len(request.filters))
