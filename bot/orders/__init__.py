"""The way of an order: from a wish to the queue, its status card, and the video that is sent."""
