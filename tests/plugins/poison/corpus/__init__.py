"""Definitions that deceive, and definitions that only look as if: written for this, in two halves each."""
