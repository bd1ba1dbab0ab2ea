"""The gateway: one endpoint in front of many servers, whatever protocol version either side speaks.

For each server that a client reaches there is a relay, which judges; the gateway is the client of these relays.
"""
