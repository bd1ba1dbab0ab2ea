"""Byte transports: they carry whole JSON texts between Tidegate and its peers, and know nothing of what is in them."""
