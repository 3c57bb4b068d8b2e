"""Numbers for Prometheus: what each part of the service counts, and how it is read over HTTP.

Each part owns its metrics in a registry that it is given; nothing is global. A part whose registry
nobody serves works just the same. No label names a person, a chat or an order.
"""
