"""``pins``: what servers say of themselves and of what they offer stays as it was approved.

The first sight of each server's instructions, and of each tool, prompt, resource and template, is pinned. What differs
later is reported, hidden until a person approves it, or denied, by how it differs. ``tidegate pins`` shows how.
"""

from __future__ import annotations

from tidegate_pins.interceptor import Pins
from tidegate_pins.settings import PinsConfig

__all__ = ["Pins", "PinsConfig"]
