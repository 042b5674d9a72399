"""Consumer groups: one partition of __consumer_offsets as a state machine without clock, threads or sockets."""
