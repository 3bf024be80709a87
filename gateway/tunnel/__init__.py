"""A tunnel as a child process: its URL found in what it says, kept open, looked through, told to whom it concerns."""

from gateway.tunnel.address import address
from gateway.tunnel.keeping import Tunnel
from gateway.tunnel.looking import MISSING, Looking, Pace

__all__ = ["MISSING", "Looking", "Pace", "Tunnel", "address"]
