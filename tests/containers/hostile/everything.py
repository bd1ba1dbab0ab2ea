"""All that the hostile server tries."""

from containers.hostile import box, kernel, shares
from containers.hostile.attempt import ATTEMPTS
from containers.hostile.endings import ENDINGS

__all__ = ["ATTEMPTS", "ENDINGS", "box", "kernel", "shares"]
