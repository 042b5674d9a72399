"""Barnabas: Kafka in Python, whole."""

__version__ = "0.1.0"
SOFTWARE_NAME = "barnabas"
"""What this software is called where it introduces itself (KIP-511)."""
