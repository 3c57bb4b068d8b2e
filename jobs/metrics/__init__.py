"""Prometheus metrics. Each part of the service owns its metrics in a registry that it is given.

No label names a person, a chat or an order.
"""
