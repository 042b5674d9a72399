"""kafka-consumer-groups' options, and what may stand with what. Rules and messages of Apache Kafka's ConsumerGroupCommand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .options import Option, Parser, exclude, help_or_version, require, usage_and_exit

if TYPE_CHECKING:
    from collections.abc import Sequence

PURPOSE = "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets."
DEFAULT_TIMEOUT_MS = 30_000
_NO_ACTION = (
    "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute "
    "to be specified. You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default "
    "behavior without prompting.\n"
)


class GroupOptions:
    """The options, checked against one another. Raises OptionError, SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self._add_actions(parser)
        self._add_reset(parser)
        self.given = parser.parse(arguments)
        help_or_version(parser, self.given, arguments, PURPOSE)
        if not self.has(self.validate_regex):
            require(parser, self.given, self.bootstrap)
        self._check_actions()
        if self.has(self.reset_offsets):
            self._check_reset()
        exclude(parser, self.given, self.group, self.all_groups)
        exclude(parser, self.given, self.group, self.list)
        exclude(parser, self.given, self.topic, self.list, self.describe)
        actions = (self.list, self.describe, self.delete, self.reset_offsets, self.delete_offsets, self.validate_regex)
        if sum(map(self.has, actions)) != 1:
            usage_and_exit(parser, "Command must include exactly one action: " + ", ".join(f"--{action.name}" for action in actions))

    def _add_actions(self, parser: Parser) -> None:
        self.bootstrap = parser.required(
            "bootstrap-server", "The brokers to start from. Needed for everything but --validate-regex.", "server to connect to"
        )
        self.command_config = parser.required("command-config", "Properties file for the client.", "command config property file")
        self.timeout = parser.required(
            "timeout", "How long to wait for an answer, say of a group that is being made.", "timeout (ms)", "Long", str(DEFAULT_TIMEOUT_MS)
        )
        self.list = parser.flag("list", "Print the names of all consumer groups; states and types with --state and --type.")
        self.describe = parser.flag("describe", "Print what groups committed, how far behind they are and who reads.")
        self.delete = parser.flag("delete", "Delete groups with all that they committed, as in --group g1 --group g2.")
        self.reset_offsets = parser.flag(
            "reset-offsets",
            "Move groups without members to other offsets: --to-datetime, --by-duration, --to-earliest, --to-latest, --shift-by, --from-file, "
            "--to-current or --to-offset.\nPlans with --dry-run (the default), acts with --execute, prints CSV with --export.\n"
            "Of --all-topics or of each --topic; a file says it by itself.",
        )
        self.delete_offsets = parser.flag("delete-offsets", "Forget what a group committed of some topics.")
        self.validate_regex = parser.required("validate-regex", "Check a regular expression by the rules of RE2.", "regex")
        self.group = parser.required("group", "The group; may be given several times.", "consumer group")
        self.all_groups = parser.flag("all-groups", "All consumer groups.")
        self.topic = parser.required(
            "topic", "A topic whose offsets are reset or deleted; partitions as in `topic1:0,1,2`. May be given several times.", "topic"
        )
        self.all_topics = parser.flag("all-topics", "Every topic of which the group committed anything.")
        self.members = parser.flag("members", "With --describe: the group's members.")
        self.verbose = parser.flag("verbose", "With --describe: more columns, such as epochs and assignments.")
        self.offsets = parser.flag("offsets", "With --describe: the partitions, with what is committed and the lag. The default.")
        self.state = parser.optional("state", "With --describe: the group's state. With --list: states too; or only groups in these, by commas.")
        self.type = parser.optional("type", "With --list: types too; or only groups of these, by commas.")
        for option in (self.members, self.verbose, self.offsets):
            option.beside = (self.describe,)
        self.state.beside = (self.describe, self.list)
        self.type.beside = (self.list,)

    def _add_reset(self, parser: Parser) -> None:
        self.dry_run = parser.flag("dry-run", "With --reset-offsets: show only.")
        self.execute = parser.flag("execute", "With --reset-offsets: do it.")
        self.export = parser.flag("export", "With --reset-offsets: print CSV, which --from-file takes.")
        self.to_offset = parser.required("to-offset", "To this offset.", "offset", "Long")
        self.from_file = parser.required("from-file", "To the offsets in a CSV file.", "path to CSV file")
        self.to_datetime = parser.required("to-datetime", "To the first record of a time, written 'YYYY-MM-DDThh:mm:ss.sss'.", "datetime")
        self.by_duration = parser.required("by-duration", "To the first record of a time so long ago, written 'PnDTnHnMnS'.", "duration")
        self.to_earliest = parser.flag("to-earliest", "To the first record there is.")
        self.to_latest = parser.flag("to-latest", "To the end.")
        self.to_current = parser.flag("to-current", "To what is committed; to the end where nothing is.")
        self.shift_by = parser.required(
            "shift-by", "Forward by so many offsets from what is committed, backward if negative.", "number-of-offsets", "Long"
        )

    def has(self, option: Option) -> bool:
        return self.given.has(option)

    @property
    def scenarios(self) -> tuple[Option, ...]:
        places = (self.to_earliest, self.to_latest, self.to_current)
        return (self.to_offset, self.to_datetime, self.by_duration, *places, self.shift_by, self.from_file)

    def _check_actions(self) -> None:
        chosen = self.has(self.group) or self.has(self.all_groups)
        if self.has(self.describe):
            if not chosen:
                self._refuse(f"Option {self.describe} takes one of these options: {self.group}, {self.all_groups}")
            views = (self.members, self.offsets, self.state)
            if sum(map(self.has, views)) > 1:
                self._refuse(f"Option {self.describe} takes at most one of these options: {', '.join(map(str, views))}")
            if self.given.value(self.state) is not None:
                self._refuse(f"Option {self.describe} does not take a value for {self.state}")
        if self.has(self.delete):
            if not chosen:
                self._refuse(f"Option {self.delete} takes one of these options: {self.group}, {self.all_groups}")
            if self.has(self.topic):
                self._refuse("The consumer does not support topic-specific offset deletion from a consumer group.")
        if self.has(self.delete_offsets) and not (self.has(self.group) and self.has(self.topic)):
            self._refuse(f"Option {self.delete_offsets} takes the following options: {self.group}, {self.topic}")

    def _check_reset(self) -> None:
        if self.has(self.dry_run) and self.has(self.execute):
            self._refuse(f"Option {self.reset_offsets} only accepts one of {self.execute} and {self.dry_run}")
        if not self.has(self.dry_run) and not self.has(self.execute):
            sys.stderr.write(_NO_ACTION)
        if not self.has(self.group) and not self.has(self.all_groups):
            self._refuse(f"Option {self.reset_offsets} takes one of these options: {self.group}, {self.all_groups}")
        for scenario in self.scenarios:
            exclude(self.parser, self.given, scenario, *(other for other in self.scenarios if other is not scenario))

    def _refuse(self, message: str) -> None:
        usage_and_exit(self.parser, message)
