"""Kafka's own command line tools, under their names, with their flags, output and exit codes (Apache Kafka 4.3.1).

Each module has `main(argv) -> int`. `console` runs it as a process; `options` is the argument grammar that they share.
"""

VERSION = "4.3.1"
