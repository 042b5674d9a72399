"""A node's own configuration: server.properties and overrides, read, checked and typed. The keys themselves are `barnabas.core.configs`."""
