"""log4j's configurations as a node reads them: the documents' log4j.properties, a log4j2.yaml as the release's, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from barnabas.node.config.log4j import Appender, InvalidLogging, read_logging
from barnabas.node.console_log import DEBUG, INFO, WARN

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = """
# Root logger
log4j.rootLogger=INFO, stdout, kafkaAppender

# Console appender
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n

# File appender
log4j.appender.kafkaAppender=org.apache.log4j.RollingFileAppender
log4j.appender.kafkaAppender.File=/var/log/kafka/server.log
log4j.appender.kafkaAppender.MaxFileSize=100MB
log4j.appender.kafkaAppender.MaxBackupIndex=10
log4j.appender.kafkaAppender.layout=org.apache.log4j.PatternLayout
log4j.appender.kafkaAppender.layout.ConversionPattern=[%d] %p %m (%c)%n

# Request logging
log4j.appender.requestAppender=org.apache.log4j.RollingFileAppender
log4j.appender.requestAppender.File=/var/log/kafka/kafka-request.log
log4j.appender.requestAppender.MaxFileSize=100MB
log4j.appender.requestAppender.MaxBackupIndex=10
log4j.appender.requestAppender.layout=org.apache.log4j.PatternLayout
log4j.appender.requestAppender.layout.ConversionPattern=[%d] %p %m (%c)%n

# Controller logging
log4j.logger.kafka.controller=INFO, controllerAppender
log4j.additivity.kafka.controller=false
log4j.appender.controllerAppender=org.apache.log4j.RollingFileAppender
log4j.appender.controllerAppender.File=/var/log/kafka/controller.log
log4j.appender.controllerAppender.MaxFileSize=100MB
log4j.appender.controllerAppender.MaxBackupIndex=10
"""
YAML = """
Configuration:
  Properties:
    Property:
      - name: "kafka.logs.dir"
        value: "."
      - name: "logPattern"
        value: "[%d] %p %m (%c)%n"
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "${logPattern}"
    RollingFile:
      - name: KafkaAppender
        fileName: "${sys:kafka.logs.dir}/server.log"
        filePattern: "${sys:kafka.logs.dir}/server.log.%d{yyyy-MM-dd-HH}"
        PatternLayout:
          pattern: "${logPattern}"
        TimeBasedTriggeringPolicy:
          modulate: true
          interval: 1
      - name: ControllerAppender
        fileName: "${sys:kafka.logs.dir}/controller.log"
        filePattern: "${sys:kafka.logs.dir}/controller.log.%i"
        PatternLayout:
          pattern: "%m%n"
        Policies:
          SizeBasedTriggeringPolicy:
            size: 10 MB
        DefaultRolloverStrategy:
          max: 3
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        - ref: STDOUT
        - ref: KafkaAppender
    Logger:
      - name: kafka
        level: INFO
      - name: org.apache.kafka.controller
        level: DEBUG
        additivity: false
        AppenderRef:
          ref: ControllerAppender
"""
KAFKAS = "[%d] %p %m (%c)%n"


def test_the_documents_file(tmp_path: Path) -> None:
    logging = read_logging(str(_written(tmp_path, DOCUMENTS, "log4j.properties")), "/logs")
    assert logging.level == INFO
    assert logging.appenders == (
        Appender(None, KAFKAS),
        Appender("/var/log/kafka/server.log", KAFKAS, 100 << 20, 10, "/var/log/kafka/server.log.%i"),
    )
    assert logging.unused == (
        "/var/log/kafka/controller.log",
    )  # the request log's appender is tied to no logger: there is no such file, as with Apache Kafka
    assert len(logging.warnings) == 1 and "kafka.controller" in logging.warnings[0]


def test_a_log4j2_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logging = read_logging(str(_written(tmp_path, YAML, "log4j2.yaml")), "/logs")
    assert logging.level == INFO
    assert logging.appenders == (
        Appender(None, KAFKAS),
        Appender("/logs/server.log", KAFKAS, backups=7, rolled_name="/logs/server.log.%d{yyyy-MM-dd-HH}"),
    )
    assert logging.unused == ("/logs/controller.log",)
    assert len(logging.warnings) == 1 and "org.apache.kafka.controller" in logging.warnings[0]
    monkeypatch.setenv("WHERE", "/here")
    changed = YAML.replace("${sys:kafka.logs.dir}/server.log", "${env:WHERE}/${env:NOWHERE:-other}.log").replace(
        "level: INFO\n      App", "level: WARN\n      App"
    )
    logging = read_logging(str(_written(tmp_path, changed, "log4j2.yml")), "/logs")
    assert (logging.level, logging.appenders[1].path) == (WARN, "/here/other.log")


def test_json_and_other_appenders(tmp_path: Path) -> None:
    whole = {
        "Configuration": {
            "Appenders": {
                "File": {"name": "F", "fileName": "/f", "PatternLayout": {"pattern": "%m%n"}},
                "RollingFile": {
                    "name": "R",
                    "fileName": "/r",
                    "filePattern": "/r.%i",
                    "SizeBasedTriggeringPolicy": {"size": "2KB"},
                    "DefaultRolloverStrategy": {"max": 3},
                },
            },
            "Loggers": {"Root": {"level": "debug", "AppenderRef": [{"ref": "F"}, {"ref": "R"}]}},
        }
    }
    logging = read_logging(str(_written(tmp_path, json.dumps(whole), "log4j2.json")), "/logs")
    assert logging == (DEBUG, (Appender("/f", "%m%n"), Appender("/r", "%m%n", 2048, 3, "/r.%i")), (), ())
    daily = "log4j.rootLogger=WARN, d\nlog4j.appender.d=org.apache.log4j.DailyRollingFileAppender\nlog4j.appender.d.File=${kafka.logs.dir}/d.log\n"
    daily += "log4j.appender.d.DatePattern='.'yyyy-MM-dd-HH\n"
    logging = read_logging(str(_written(tmp_path, daily, "daily.properties")), "/logs")
    assert logging == (WARN, (Appender("/logs/d.log", "%m%n", rolled_name="/logs/d.log%d{'.'yyyy-MM-dd-HH}"),), (), ())


FILE = "log4j.rootLogger=INFO, a\nlog4j.appender.a=org.apache.log4j.{}\nlog4j.appender.a.File=/a\n"


@pytest.mark.parametrize(
    "name, text, why",
    [
        ("log4j.properties", FILE.format("net.SocketAppender"), "only ConsoleAppender"),
        ("log4j.properties", FILE.format("FileAppender").replace("/a", ""), "File is missing"),
        ("log4j.properties", FILE.format("RollingFileAppender") + "log4j.appender.a.MaxFileSize=big\n", "big is no size"),
        (
            "log4j.properties",
            FILE.format("FileAppender") + "log4j.appender.a.layout=org.apache.log4j.HTMLLayout\n",
            "only org.apache.log4j.PatternLayout",
        ),
        ("log4j.properties", FILE.format("FileAppender").replace("INFO", "LOUD"), "LOUD is no level"),
        ("log4j2.properties", "rootLogger.level=INFO\n", "only log4j 1's properties"),
        ("log4j2.xml", "<Configuration/>", "only log4j 1's properties"),
        ("log4j2.yaml", "Configuration: [", "no YAML"),
        ("log4j2.yaml", "something: else", "no configuration of Log4j 2"),
        ("log4j2.yaml", YAML.replace("ref: KafkaAppender", "ref: Other"), "AppenderRef Other: there is no appender"),
        ("log4j2.yaml", YAML.replace("server.log.%d{yyyy-MM-dd-HH}", "server.log.%d{yyyy-MM-dd-HH}.gz"), "aren't compressed"),
        ("log4j2.yaml", YAML.replace("controller.log.%i", "controller.log.1"), "belong together"),
        ("log4j2.yaml", YAML.replace("    Console:", "    Socket:"), "only Console, File and RollingFile"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    with pytest.raises(InvalidLogging, match=why) as refused:
        read_logging(str(_written(tmp_path, text, name)), "/logs")
    assert name in str(refused.value)


def _written(tmp_path: Path, text: str, name: str) -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file
