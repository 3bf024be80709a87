"""A tunnel as a child process: its URL found in what it says, kept open, looked through, told to whom it concerns."""

from gateway.tunnel.address import address
from gateway.tunnel.keeping import Pace, Tunnel

__all__ = ["Pace", "Tunnel", "address"]
