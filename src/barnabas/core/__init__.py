"""Pure, deterministic parts of a node: state machines and rules. Time, randomness and I/O are passed in."""
