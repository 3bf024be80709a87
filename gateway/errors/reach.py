"""Why Simli would not reach the gateway by its public URL, or not hear it: an avatar that is connected and silent.

Messages name the host, never the path: a capability may be in it. Nothing was started, and nothing is billed.
"""

from os import EX_CONFIG, EX_UNAVAILABLE
from typing import ClassVar

from gateway.errors.root import GatewayError


class NotReachable(GatewayError):
    """The root of this part: no connection comes about, or not in time."""

    status = 502
    type = "reach_error"
    code = "not_reachable"
    exit_code: ClassVar[int] = EX_UNAVAILABLE


class NotPublic(NotReachable):
    """The URL is none that Simli can be given: http, this machine's, a private network's."""

    status = 424
    code = "not_public"
    exit_code = EX_CONFIG


class NotThisGateway(NotReachable):
    """Something answers there, and it is not this gateway: a tunnel's own page, another server."""

    code = "not_this_gateway"


class KeyNotTaken(NotReachable):
    """The gateway there refuses what Simli would present: the key, the capability, or the agent."""

    code = "key_not_taken"


class StreamBuffered(NotReachable):
    """What lies between holds the stream back and hands it over in one piece."""

    code = "stream_buffered"


class StreamBroken(NotReachable):
    """What arrives is no whole stream: it ends too soon, or is something else."""

    code = "stream_broken"


class FirstWordLate(NotReachable):
    """Nothing is heard in time."""

    status = 504
    code = "first_word_late"


class NothingToSay(NotReachable):
    """The gateway is reached, and has only an apology to say: what it answers from fails."""

    code = "nothing_to_say"
