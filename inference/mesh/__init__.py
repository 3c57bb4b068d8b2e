"""A face's landmarks moved by head pose and expression, and the photo warped after them."""
