"""Every configuration key of Apache Kafka 4.3.1 as data: one module a subject, one row a key (see `row`)."""
