"""``poison``: hidden and deceptive text in what servers send: taken out, reported, or denied."""

from tidegate_poison.config import PoisonConfig
from tidegate_poison.interceptor import Poison

__all__ = ["Poison", "PoisonConfig"]
