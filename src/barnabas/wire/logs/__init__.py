"""Records that Kafka itself keeps in logs and files."""
