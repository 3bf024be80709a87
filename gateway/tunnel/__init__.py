"""A tunnel as a child process: its URL found in what it says, kept open, looked through, told to whom it concerns."""

from gateway.tunnel.address import address
from gateway.tunnel.keeping import Tunnel
from gateway.tunnel.looking import Looking, Pace

__all__ = ["Looking", "Pace", "Tunnel", "address"]
