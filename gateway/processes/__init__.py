"""Supervised children: their own process group, health, back-off, killed with their parent."""

from gateway.processes.children import Child, ChildError, Process, supervised

__all__ = ["Child", "ChildError", "Process", "supervised"]
