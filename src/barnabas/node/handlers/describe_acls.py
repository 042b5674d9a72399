"""DescribeAcls (29), versions 1-3. Needs Describe on the cluster. KIP-140.

No node has an authorizer yet, so the answer is Apache Kafka's without one. As there, a filter with an unknown (0) element ends the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_acls import DescribeAclsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_acls import DescribeAclsRequest


def handle(request: DescribeAclsRequest, call: Call) -> DescribeAclsResponse | None:
    if 0 in (request.pattern_type_filter, request.resource_type_filter, request.operation, request.permission_type):
        call.close()
        return None
    return DescribeAclsResponse(
        throttle_time_ms=0, error_code=Error.SECURITY_DISABLED, error_message="No Authorizer is configured on the broker", resources=[]
    )
