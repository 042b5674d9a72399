"""kafka-reassign-partitions' options: which action, and what stands with it. Rules and messages of Apache Kafka's ReassignPartitionsCommand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Options, Parser, help_or_version, require, usage_and_exit

if TYPE_CHECKING:
    from collections.abc import Sequence

PURPOSE = "This tool helps to move topic partitions between replicas."
NO_LIMIT = -1
_PLAN = (
    '{"partitions":\n\t[{"topic": "foo",\n\t  "partition": 1,\n\t  "replicas": [1,2,3],\n\t  "log_dirs": ["dir1","dir2","dir3"] }],\n"version":1\n}'
)
_TOPICS = '{"topics":\n\t[{"topic": "foo"},{"topic": "foo1"}],\n"version":1\n}'


class ReassignOptions:
    """The options, checked against one another. Raises OptionError, SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self.verify = parser.flag("verify", "Say how far the moves of --reassignment-json-file are; once all are done, take the throttles away.")
        self.generate = parser.flag("generate", "Propose where the partitions of some topics could lie. Nothing is moved.")
        self.execute = parser.flag("execute", "Start the moves of --reassignment-json-file.")
        self.cancel = parser.flag("cancel", "Cancel those moves of --reassignment-json-file that are under way.")
        self.list = parser.flag("list", "List all moves from broker to broker that are under way.")
        self.bootstrap = parser.optional("bootstrap-server", "The brokers to start from, by commas.", "Server(s) to use for bootstrapping")
        self.command_config = parser.required("command-config", "Properties file for the admin client.", "Admin client property file")
        self.plan = parser.required(
            "reassignment-json-file",
            f'A JSON file that says where replicas shall be, like this:\n{_PLAN}\n"log_dirs" may be left out; it has a place for each replica: '
            '"any", or the absolute path of a log directory of that broker, into which the replica is moved then.',
            "manual assignment json file path",
        )
        self.topics = parser.required(
            "topics-to-move-json-file",
            f"A JSON file of topics, for which --generate proposes new places on the brokers of --broker-list, like this:\n{_TOPICS}",
            "topics to reassign json file path",
        )
        self.broker_list = parser.required("broker-list", 'With --generate: the brokers to use, as in "0,1,2".', "brokerlist")
        self.controllers = parser.optional(
            "bootstrap-controller", "Controllers to start from, instead of brokers, with --cancel and --list.", "bootstrap controller to connect to"
        )
        self.no_racks = parser.flag("disable-rack-aware", "With --generate: take no notice of racks.")
        again = "With --execute; --additional with the same file changes it later. At least 1 KB/s."
        self.throttle = parser.required("throttle", f"Bytes/s that moves between brokers may take. {again}", "throttle", "Long", str(NO_LIMIT))
        self.directory_throttle = parser.required(
            "replica-alter-log-dirs-throttle",
            f"Bytes/s that moves between directories of one broker may take. {again}",
            "replicaAlterLogDirsThrottle",
            "Long",
            str(NO_LIMIT),
        )
        self.timeout = parser.required("timeout", "How long, in ms, to wait until moves between directories can begin.", "timeout", "Long", "10000")
        self.additional = parser.flag("additional", "Start these moves although others are under way, or give them another throttle.")
        self.preserve_throttles = parser.flag("preserve-throttles", "Leave all throttles as they are.")
        self.same_factor = parser.flag("disallow-replication-factor-change", "Refuse moves that change how many replicas a partition has.")
        self.given: Options = parser.parse(arguments)
        help_or_version(parser, self.given, arguments, PURPOSE)
        self._check()

    def _check(self) -> None:
        given, has = self.given, self.given.has
        actions = (self.generate, self.execute, self.verify, self.cancel, self.list)
        chosen = [action for action in actions if has(action)]
        if len(chosen) != 1:
            usage_and_exit(self.parser, f"Command must include exactly one action: {', '.join(f'--{action.name}' for action in actions)}")
        if has(self.bootstrap) and has(self.controllers):
            usage_and_exit(self.parser, "Please don't specify both --bootstrap-server and --bootstrap-controller")
        if not has(self.bootstrap) and not has(self.controllers):
            usage_and_exit(self.parser, "Please specify either --bootstrap-server or --bootstrap-controller")
        action = chosen[0]
        needed = {self.generate: (self.topics, self.broker_list), self.list: ()}.get(action, (self.plan,))
        require(self.parser, given, *needed)
        start = self.controllers if has(self.controllers) and action in (self.cancel, self.list) else self.bootstrap
        more = {
            self.generate: (self.no_racks,),
            self.execute: (self.additional, self.throttle, self.directory_throttle, self.timeout, self.same_factor),
            self.verify: (self.preserve_throttles,),
            self.cancel: (self.preserve_throttles, self.timeout),
            self.list: (),
        }[action]
        allowed = {option.name for option in (action, start, self.command_config, *needed, *more)}
        for name in given.order:
            if name not in allowed:
                usage_and_exit(self.parser, f'Option "[{name}]" can\'t be used with action "{action}"')

    def properties(self) -> dict[str, str]:
        """The admin client's. Raises OSError, ConfigException."""
        from .session import load_properties

        given = self.given
        path = given.value(self.command_config)
        properties = load_properties(path) if path is not None else {}
        if given.has(self.controllers):
            properties["bootstrap.controllers"] = given.value(self.controllers) or ""
        else:
            properties["bootstrap.servers"] = given.value(self.bootstrap) or ""
        properties.setdefault("client.id", "reassign-partitions-tool")
        return properties
