"""``secrets`` and ``pii``: secrets and personal data are found in any disguise, denied, redacted or sealed."""

from tidegate_scan.config import PiiConfig, SecretsConfig
from tidegate_scan.interceptors import Pii, Secrets

__all__ = ["Pii", "PiiConfig", "Secrets", "SecretsConfig"]
