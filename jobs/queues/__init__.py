"""The queues: admission, fair order, the bot's side, the worker's side, deliveries."""
