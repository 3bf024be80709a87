"""What an operator reads: the log, the metrics, the traces. A leaf that anyone may call."""

from gateway.observe.log import configure, fields, turn_ended

__all__ = ["configure", "fields", "turn_ended"]
