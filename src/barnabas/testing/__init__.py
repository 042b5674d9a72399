"""Nodes for other people's tests: `Node`, a node in a directory of its own that goes with it; `plugin`, its pytest fixtures.

Needs nothing but the node itself; pytest only in `plugin`, which pytest loads in every run. So nothing is imported before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import Node, NodeFailed

__all__ = ["Node", "NodeFailed"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import node

    return getattr(node, name)
