"""Whether a request speaks for a member of its group. KIP-345 for static members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.context import Refused
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.groups.classic_group import ClassicGroup


def check_member(group: ClassicGroup, member_id: str, instance_id: str | None) -> None:
    """Refuse an unknown member (25), and a static one whose place has been taken by its next incarnation (82)."""
    if instance_id is not None:
        owner = group.static_members.get(instance_id)
        if owner is None:
            raise Refused(Error.UNKNOWN_MEMBER_ID)
        if owner != member_id:
            raise Refused(Error.FENCED_INSTANCE_ID)
    if member_id not in group.members:
        raise Refused(Error.UNKNOWN_MEMBER_ID)
