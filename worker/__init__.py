"""The worker: takes jobs out of the queues and does them."""
