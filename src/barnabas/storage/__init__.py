"""A log directory on disk, byte for byte Apache Kafka's."""
