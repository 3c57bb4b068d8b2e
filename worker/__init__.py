"""The worker: takes orders out of the queues and does them."""
