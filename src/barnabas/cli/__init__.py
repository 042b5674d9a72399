"""Commands. One module a command; `kafka/` holds the tools under Kafka's own names and flags."""
