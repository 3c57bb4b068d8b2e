"""For the owner: admins, access, and the state of the service."""
