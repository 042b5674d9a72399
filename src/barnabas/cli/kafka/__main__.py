"""`python -m barnabas.cli.kafka kafka-topics --list`: a tool without its script."""

import sys

from .console import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1].removesuffix(".sh") if len(sys.argv) > 1 else "", sys.argv[2:]))
