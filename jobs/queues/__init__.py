"""The queues: admission, fair order, adding and taking jobs, deliveries."""
