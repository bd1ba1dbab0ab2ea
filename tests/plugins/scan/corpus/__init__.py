"""The test corpus for secret scanning: secrets in all disguises, and what only looks like one. All from a seed."""
