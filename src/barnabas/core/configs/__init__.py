"""Configuration as Kafka 4.3.1 knows it: the keys (`definitions`), their values, how they override one another, how they may change.

Pure: reading a server.properties file is `barnabas.node.config`, keeping dynamic configs in the metadata log is the controller's.
"""
