"""kafka-reassign-partitions on a cluster of three nodes, by Apache Kafka's tool and by ours: same output, same complaints, same exit status."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import configs, log_dirs, topics
from barnabas.client.cluster import Cluster
from barnabas.client.producer import Producer
from tests.differential.tools import Outcome, by_apache, by_both_alike, in_this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.differential.trio import Trio

    Run = Callable[..., Outcome]

pytestmark = pytest.mark.apache
TOOL = "kafka-reassign-partitions"
BOTH: tuple[Run, Run] = (by_apache, in_this_process)
_TRACE = re.compile(r"^(\tat .*|\s*\.\.\. \d+ more|Caused by: .*|\s+at \[Source: .*)\n", re.MULTILINE)
PATIENCE_S = 60.0
CLUSTERS = ["three_apache", pytest.param("three_barnabas", marks=pytest.mark.node)]


def told(outcome: Outcome) -> Outcome:
    """Without the stack traces, which this tool prints to standard output."""
    return outcome._replace(output=_TRACE.sub("", outcome.output))


def same(three_apache: Trio, *arguments: str) -> Outcome:
    """What both tools say of a command that changes nothing."""
    theirs, ours = by_both_alike(TOOL, "--bootstrap-server", three_apache.bootstrap, *arguments, shown=told)
    assert ours == theirs
    return ours


@pytest.fixture(scope="module")
def prefix(three_apache: Trio) -> str:
    """`PREFIX-one` with three partitions of two replicas; `-a` to `-d` with one partition on brokers 1 and 2, with 3 MB in it."""
    return _prefixed(three_apache)


@pytest.fixture(scope="module")
def barnabas_prefix(three_barnabas: Trio) -> str:
    """As `prefix`."""
    return _prefixed(three_barnabas)


def _furnished(cluster: str, request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("prefix" if cluster == "three_apache" else "barnabas_prefix")
    return found


def _prefixed(three: Trio) -> str:
    name = f"move-{uuid.uuid4().hex[:6]}"
    asyncio.run(asyncio.wait_for(_furnish(three.bootstrap, name), PATIENCE_S))
    return name


async def _furnish(bootstrap: str, name: str) -> None:
    async with Cluster(bootstrap) as cluster:
        made = [topics.NewTopic(f"{name}-{end}", assignments={0: [1, 2]}) for end in "abcd"]
        made.append(topics.NewTopic(f"{name}-one", assignments={0: [1, 2], 1: [2, 3], 2: [3, 1]}))
        assert not any((await topics.create(cluster, made)).values())
        producer = Producer(cluster)
        sent = [await producer.send(f"{name}-{end}", bytes(100_000), partition=0) for end in "abcd" for _ in range(30)]
        await producer.close()
        await asyncio.gather(*sent)


def plan(*rows: tuple[str, int, list[int]], directories: dict[int, str] | None = None) -> str:
    partitions = []
    for topic, partition, replicas in rows:
        entry: dict[str, object] = {"topic": topic, "partition": partition, "replicas": replicas}
        if directories is not None:
            entry["log_dirs"] = [directories.get(broker, "any") for broker in replicas]
        partitions.append(entry)
    return json.dumps({"version": 1, "partitions": partitions})


# --- the command line


@pytest.mark.parametrize(
    "arguments",
    [
        "--list",
        "--list --verify",
        "--generate --execute",
        "--list --throttle 5",
        "--list --bootstrap-controller x:1",
        "--verify",
        "--execute",
        "--cancel",
        "--generate",
        "--generate --topics-to-move-json-file /nonexistent",
        "--generate --broker-list 1",
        "--generate --topics-to-move-json-file /nonexistent --broker-list 1",
        "--generate --topics-to-move-json-file /nonexistent --broker-list 1,x",
        "--generate --topics-to-move-json-file /nonexistent --broker-list 1,1,2,2",
        "--generate --topics-to-move-json-file /nonexistent --broker-list 1 --throttle 3",
        "--execute --reassignment-json-file /nonexistent",
        "--execute --reassignment-json-file /nonexistent --preserve-throttles",
        "--execute --reassignment-json-file /nonexistent --disable-rack-aware",
        "--verify --reassignment-json-file /nonexistent --additional",
        "--verify --reassignment-json-file /nonexistent --timeout 3",
        "--cancel --reassignment-json-file /nonexistent --additional",
        "--cancel --reassignment-json-file /nonexistent --broker-list 1",
        "--list --command-config /nonexistent",
        "--nonsense",
        "--throttle",
        "",
    ],
)
def test_command_lines(three_apache: Trio, arguments: str) -> None:
    same(three_apache, *arguments.split())


def test_controllers_are_asked(three_apache: Trio, prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan((f"{prefix}-one", 0, [1, 2])))
    for words in (["--list"], ["--cancel", "--reassignment-json-file", str(path)], ["--verify", "--reassignment-json-file", str(path)]):
        theirs, ours = (told(run(TOOL, "--bootstrap-controller", three_apache.controllers, *words)) for run in BOTH)
        assert ours == theirs


# --- files


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"partitions": [{"topic": "t", "partition": 0, "replicas": [1, 1, 2, 2]}]}', ""),
        ('{"partitions": [{"topic": "t", "partition": 0, "replicas": []}]}', ""),
        ('{"partitions": []}', ""),
        ('{"version": 1}', ""),
        ('{"partitions": [{"topic": "t", "partition": 1, "replicas": [1]}, {"topic": "t", "partition": 1, "replicas": [2]}]}', ""),
        ('{"partitions": [{"topic": "t", "partition": 1, "replicas": [9, 8]}]}', ""),
        ('{"partitions": [{"topic": "nothing", "partition": 1, "replicas": [1]}]}', ""),
        ('{"partitions": [{"topic": "{p}-one", "partition": 3, "replicas": [1]}, {"topic": "{p}-one", "partition": 9, "replicas": [1]}]}', ""),
        ('{"partitions": [{"topic": "t", "partition": 1, "replicas": [1, 2], "log_dirs": ["any"]}]}', "partitions[0].log_dirs"),
        ('{"partitions": [{"topic": "t", "partition": 1, "replicas": [1], "log_dirs": [1]}]}', "partitions[0].log_dirs"),
        ('{"partitions": [{"topic": "t", "partition": 1, "replicas": [1], "log_dirs": "x"}]}', "partitions[0].log_dirs"),
        ('{"version": 2, "partitions": []}', "version"),
        ('{"version": "1", "partitions": []}', "version"),
        ("[]", "the file"),
        ('{"partitions": {}}', "partitions"),
        ('{"partitions": [{"topic": "t", "partition": 0, "replicas": [1]}, 1]}', "partitions[1]"),
        ('{"partitions": [{"partition": 0, "replicas": [1]}]}', "partitions[0].topic"),
        ('{"partitions": [{"topic": 1, "partition": 0, "replicas": [1]}]}', "partitions[0].topic"),
        ('{"partitions": [{"topic": "t", "replicas": [1]}]}', "partitions[0].partition"),
        ('{"partitions": [{"topic": "t", "partition": "0", "replicas": [1]}]}', "partitions[0].partition"),
        ('{"partitions": [{"topic": "t", "partition": 0}]}', "partitions[0].replicas"),
        ('{"partitions": [{"topic": "t", "partition": 0, "replicas": 1}]}', "partitions[0].replicas"),
        ('{"partitions": [{"topic": "t", "partition": 0, "replicas": [1, "2"]}]}', "partitions[0].replicas"),
    ],
)
def test_plans(three_apache: Trio, prefix: str, tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text.replace("{p}", prefix))
    words = ("--execute", "--reassignment-json-file", str(path))
    assert same(three_apache, *words).status == 1
    assert f"\tat {where} of {path}\n" in in_this_process(TOOL, "--bootstrap-server", three_apache.bootstrap, *words).output or not where


@pytest.mark.parametrize(
    "text",
    [
        '{"topics": [{"topic": "nothing"}]}',
        '{"topics": [{"topic": "a"}, {"topic": "b"}, {"topic": "a"}, {"topic": "b"}]}',
        '{"topics": [{"topic": 1}]}',
        '{"topics": [{"topics": "a"}]}',
        '{"topics": 1}',
        '{"version": 3}',
        '{"version": 1}',
        "[]",
        "nonsense",
        "",
    ],
)
def test_topics_to_move(three_apache: Trio, tmp_path: Path, text: str) -> None:
    path = tmp_path / "topics.json"
    path.write_text(text)
    same(three_apache, "--generate", "--topics-to-move-json-file", str(path), "--broker-list", "1,2")


@pytest.mark.parametrize(("text", "where"), [('{"partitions":\n [x]}', ":2:3: "), ("", ":1:1: ")])
def test_plans_that_are_no_json(three_apache: Trio, tmp_path: Path, text: str, where: str) -> None:
    """In other words than Apache's tool, which doesn't name the file."""
    path = tmp_path / "plan.json"
    path.write_text(text)
    theirs, ours = (told(run(TOOL, "--bootstrap-server", three_apache.bootstrap, "--verify", "--reassignment-json-file", str(path))) for run in BOTH)
    assert (ours.status, ours.complaints) == (theirs.status, theirs.complaints) == (1, ())
    assert ours.output.startswith(f"Error: {path}{where}")
    assert "\norg.apache.kafka.tools.AdminOperationException: " in ours.output
    assert "\norg.apache.kafka.tools.AdminOperationException: " in theirs.output


# --- proposals


@pytest.mark.parametrize("more", [[], ["--disable-rack-aware"]])
@pytest.mark.parametrize("brokers", ["1,2,3", "2,3", "3", "1,9", "7"])
def test_generate(three_apache: Trio, prefix: str, tmp_path: Path, brokers: str, more: list[str]) -> None:
    path = tmp_path / "topics.json"
    path.write_text(json.dumps({"topics": [{"topic": f"{prefix}-one"}, {"topic": f"{prefix}-a"}]}))
    words = ("--bootstrap-server", three_apache.bootstrap, "--generate", "--topics-to-move-json-file", str(path), "--broker-list", brokers, *more)
    theirs, ours = (told(run(TOOL, *words)) for run in BOTH)
    assert (ours.status, ours.complaints) == (theirs.status, theirs.complaints)
    if theirs.status:
        assert ours == theirs
        return
    assert _unproposed(ours.output) == _unproposed(theirs.output)
    for outcome in (theirs, ours):
        proposed = json.loads(outcome.output.splitlines()[4])["partitions"]
        assert all(set(row["replicas"]) <= set(map(int, brokers.split(","))) for row in proposed)


def _unproposed(output: str) -> str:
    """The proposal's replicas are drawn by lot; so are its two brokers of three in the topic of one partition."""
    now, _, proposal = output.partition("Proposed")
    return now + "Proposed" + re.sub(r'"replicas":\[(\d),(\d)\]', '"replicas":[]', proposal)


# --- moves


def play(run: Run, three: Trio, topic: str, folder: Path) -> list[Outcome]:
    """A move that its throttle holds up, changed, cancelled, and done."""
    path = folder / f"{topic}.json"
    said = []

    def step(*words: str, file: str = "") -> None:
        if file:
            path.write_text(file)
            words = (*words, "--reassignment-json-file", str(path))
        said.append(told(run(TOOL, "--bootstrap-server", three.bootstrap, *words)))

    there, back = plan((topic, 0, [3, 1])), plan((topic, 0, [1, 2]))
    step("--execute", "--throttle", "2000", "--disallow-replication-factor-change", file=plan((topic, 0, [1, 2, 3])))
    step("--verify", file=back)
    step("--execute", "--throttle", "2000", file=there)
    _until(lambda: _lies_on(three, topic, [3, 1, 2]))
    said.append(_limits(three, topic))
    step("--list")
    step("--verify", file=there)
    step("--execute", file=there)
    step("--execute", "--additional", "--throttle", "1500", file=there)
    said.append(_limits(three, topic))
    step("--cancel", "--preserve-throttles", file=there)
    _until(lambda: _lies_on(three, topic, [1, 2]))
    said.append(_limits(three, topic))
    step("--verify", file=there)
    said.append(_limits(three, topic))
    step("--cancel", file=there)
    step("--execute", file=there)
    _until(lambda: _lies_on(three, topic, [3, 1]))
    step("--verify", file=there)
    step("--verify", "--preserve-throttles", file=plan((topic, 0, [3, 1]), ("nothing", 0, [1]), (topic, 7, [1])))
    return [outcome._replace(output=_plain(outcome.output, topic)) for outcome in said]


def _lies_on(three_apache: Trio, topic: str, brokers: list[int]) -> bool:
    """Whether every node has heard that the topic lies there, and nowhere else."""

    async def ask(bootstrap: str) -> tuple[int, ...]:
        async with Cluster(bootstrap) as cluster:
            await cluster.refresh([topic])
            return cluster.topics[topic].partitions[0].replicas

    return all(asyncio.run(ask(node.bootstrap)) == tuple(brokers) for node in three_apache.nodes)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _plain(output: str, topic: str) -> str:
    """The topic under one name, its directories without where the cluster is and without the end that a broker chose."""
    return re.sub(r'/[\w/-]*(/\d)[xy](?=[" .])', r"\1", output.replace(topic, "T"))


def _limits(three: Trio, topic: str) -> Outcome:
    """What is set for the topic and for brokers, once every node says the same twice: they hear of it one after the other."""

    async def ask(bootstrap: str) -> list[str]:
        async with Cluster(bootstrap) as cluster:
            found = await configs.describe(cluster, configs.TOPIC, [topic])
            found |= await configs.describe(cluster, configs.BROKER, ["1", "2", "3"])
            kinds = (configs.DYNAMIC_TOPIC_CONFIG, configs.DYNAMIC_BROKER_CONFIG)
            return sorted(f"{name} {entry.name}={entry.value}" for name, entries in found.items() for entry in entries if entry.source in kinds)

    heard: list[list[str]] = []

    def settled() -> bool:
        heard.extend(asyncio.run(ask(node.bootstrap)) for node in three.nodes)
        return len(heard) >= 6 and all(one == heard[-1] for one in heard[-6:])

    _until(settled)
    return Outcome(0, "\n".join(heard[-1]), ())


@pytest.fixture(scope="module")
def moved(three_apache: Trio, prefix: str, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What Apache Kafka's tool says on Apache Kafka's nodes."""
    return play(by_apache, three_apache, f"{prefix}-a", tmp_path_factory.mktemp("moved"))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_moves(moved: list[Outcome], cluster: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    three: Trio = request.getfixturevalue(cluster)
    ours = play(in_this_process, three, f"{_furnished(cluster, request)}-b", tmp_path)
    _agree(ours, moved)
    assert any("T-0: replicas: 3,1,2. adding: 3. removing: 2." in outcome.output for outcome in ours)
    assert any("1 follower.replication.throttled.rate=1500" in outcome.output for outcome in ours)


def _agree(ours: Iterable[Outcome], theirs: Iterable[Outcome]) -> None:
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"step {number}"


def play_directories(run: Run, three: Trio, topic: str, folder: Path) -> list[Outcome]:
    """A replica that goes to its broker's other directory, slowly, back, and there; and one that goes to a directory of another broker."""
    path = folder / f"{topic}.json"
    said = []

    def step(*words: str, **directories: str) -> None:
        brokers = [int(name[1:]) for name in directories]
        path.write_text(plan((topic, 0, brokers), directories=dict(zip(brokers, directories.values(), strict=True))))
        said.append(told(run(TOOL, "--bootstrap-server", three.bootstrap, *words, "--reassignment-json-file", str(path))))

    here, other = _directory(three, topic, 1)
    step("--execute", "--replica-alter-log-dirs-throttle", "1000", b1=other, b2="any")
    said.append(_limits(three, topic))
    step("--verify", b1=other, b2="any")
    step("--verify", b1=here, b2="any")
    step("--cancel", "--timeout", "20000", b1=other, b2="any")
    said.append(_limits(three, topic))
    step("--verify", "--preserve-throttles", b1=other, b2="any")
    step("--cancel", "--preserve-throttles", b1=other, b2="any")
    step("--execute", b1="/nonexistent", b2="any")
    step("--execute", b1=other, b2="any")
    _until(lambda: _directory(three, topic, 1)[0] == other)
    step("--verify", b1=other, b2="any")
    third = f"{three.nodes[2].log_dir.parent}/3y"
    step("--execute", b1="any", b3=third)
    _until(lambda: _place(three, topic, 3) == third and _lies_on(three, topic, [1, 3]))
    step("--verify", b1="any", b3=third)
    return [outcome._replace(output=_plain(outcome.output, topic)) for outcome in said]


def _place(three: Trio, topic: str, broker: int) -> str | None:
    """Where the broker has the topic's replica."""

    async def ask() -> str | None:
        async with Cluster(three.bootstrap) as cluster:
            return (await log_dirs.places(cluster, [(topic, 0, broker)]))[(topic, 0, broker)].current

    return asyncio.run(ask())


def _directory(three: Trio, topic: str, broker: int) -> tuple[str, str]:
    """The same, and the broker's other directory."""
    here = _place(three, topic, broker)
    assert here is not None
    return here, here[:-1] + ("x" if here.endswith("y") else "y")


@pytest.fixture(scope="module")
def placed(three_apache: Trio, prefix: str, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What Apache Kafka's tool says on Apache Kafka's nodes."""
    return play_directories(by_apache, three_apache, f"{prefix}-c", tmp_path_factory.mktemp("placed"))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_directories(placed: list[Outcome], cluster: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    three: Trio = request.getfixturevalue(cluster)
    ours = play_directories(in_this_process, three, f"{_furnished(cluster, request)}-d", tmp_path)
    _agree(ours, placed)
    assert any("Reassignment of replica T-0-1 is still in progress." in outcome.output for outcome in ours)
    assert any("Reassignment of replica T-0-3 completed successfully." in outcome.output for outcome in ours)


@pytest.mark.node
def test_moves_on_barnabas(three_barnabas: Trio, tmp_path: Path) -> None:
    """With a throttle that it doesn't reach a move is soon over, for Apache Kafka's tool too."""
    name = _prefixed(three_barnabas)
    said = [_simple_move(run, three_barnabas, f"{name}-{end}", tmp_path) for run, end in zip(BOTH, "ab", strict=True)]
    _agree(said[1], said[0])
    assert all(outcome.status == 0 for outcome in said[1])


def _simple_move(run: Run, three: Trio, topic: str, folder: Path) -> list[Outcome]:
    path = folder / f"{topic}.json"
    path.write_text(plan((topic, 0, [3, 1])))
    words = ("--bootstrap-server", three.bootstrap, "--reassignment-json-file", str(path))
    said = [run(TOOL, *words, "--execute", "--throttle", "100000000"), _limits(three, topic)]
    _until(lambda: _lies_on(three, topic, [3, 1]))
    said += [run(TOOL, *words, "--verify"), _limits(three, topic), run(TOOL, *words, "--cancel")]
    return [outcome._replace(output=_plain(outcome.output, topic)) for outcome in map(told, said)]
