"""What keeps a smoke run from looking at anything: the gateway cannot be asked."""

from os import EX_NOPERM, EX_UNAVAILABLE
from typing import ClassVar

from gateway.errors.root import GatewayError


class SmokeError(GatewayError):
    """The root of this part."""

    code = "smoke_error"
    exit_code: ClassVar[int] = EX_UNAVAILABLE


class AdminRefused(SmokeError):
    """The gateway's admin API does not let us in."""

    status = 403
    type = "permission_error"
    code = "admin_refused"
    exit_code = EX_NOPERM


class GatewayGone(SmokeError):
    """The gateway does not answer, or what answers is none."""

    status = 502
    code = "gateway_gone"


class RunLate(SmokeError):
    """The run took longer than it may."""

    status = 504
    code = "run_late"
