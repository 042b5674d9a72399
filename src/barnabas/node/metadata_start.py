"""Before the metadata log is opened: where it may be, and what a new cluster begins with (D20, D21, D23).

Owns the checks across log directories and of the voters, and the reading of bootstrap.checkpoint as records.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.quorum.voters import Voter, VoterSet
    from barnabas.wire.schema import Message

DIRECTORY = "__cluster_metadata-0"


class MetadataLogRefused(ValueError):
    """The node must not start on this metadata log; the message names the file or offset, and the fix (M13, M16)."""


def bootstrap_records(metadata_directory: str) -> list[Message]:
    """What a new cluster begins with, for the controller's activation (C5): the records of bootstrap.checkpoint, or without the file only the
    latest metadata.version, as Apache has it (D20). Raises SnapshotError, MetadataLogRefused, OSError."""
    from barnabas.core.metadata.features import METADATA_VERSION, SUPPORTED
    from barnabas.core.metadata.record_versions import decode_record
    from barnabas.storage.bootstrap_checkpoint import FILE_NAME, read_bootstrap_checkpoint
    from barnabas.wire.logs.cluster_metadata import FeatureLevelRecord

    values = read_bootstrap_checkpoint(metadata_directory)
    if values is None:
        return [FeatureLevelRecord(name=METADATA_VERSION, feature_level=SUPPORTED[METADATA_VERSION][1])]
    try:
        return [decode_record(value)[0] for value in values]
    except DecodeError as error:
        raise MetadataLogRefused(f"{os.path.join(metadata_directory, FILE_NAME)}: {error}. Format the directory anew with this release.") from None


def require_way_in(local: Voter, voters: VoterSet, *, has_bootstrap: bool, is_controller: bool = True) -> None:
    """Raise QuorumRefused when this node can neither form the quorum nor find it."""
    from barnabas.core.quorum.quorum import QuorumRefused
    from barnabas.wire.types import ZERO_UUID, uuid_text

    if not len(voters) and not has_bootstrap:
        raise QuorumRefused(
            "The metadata log names no voters, and neither controller.quorum.voters nor controller.quorum.bootstrap.servers says where they are: "
            "set one of the two, or format the node's directories with --standalone."
        )
    if not is_controller and voters.is_only(local.id, local.directory_id):
        raise QuorumRefused(
            f"The metadata log names this node, {local.id}, as its only voter, and without the controller role nobody leads the cluster: "
            "write process.roles=broker,controller, or format the node's directories anew with --no-initial-controllers for a broker of another quorum."
        )
    voter = voters.by_id.get(local.id)
    if voter is not None and len(voters) == 1 and voter.directory_id not in (ZERO_UUID, local.directory_id):
        raise QuorumRefused(
            f"Voter {voter.id}, the only one of the metadata log, is the directory {uuid_text(voter.directory_id)}, but this node's metadata directory is "
            f"{uuid_text(local.directory_id)}: put that directory.id back into its meta.properties."
        )


def refuse_second_log(directories: Iterable[str], metadata_directory: str) -> None:
    """Raise MetadataLogRefused when another log dir than the metadata's holds a metadata log (D23)."""
    for directory in directories:
        path = os.path.join(directory, DIRECTORY)
        if directory != metadata_directory and os.path.exists(path):
            raise MetadataLogRefused(
                f"Found {path}, but the metadata log belongs into {metadata_directory}. Set metadata.log.dir={directory} if that is the cluster's "
                "metadata, else move it away."
            )
