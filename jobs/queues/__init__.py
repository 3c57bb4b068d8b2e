"""The queues: admission, fair order, places, the worker's side, and what is to be sent."""
