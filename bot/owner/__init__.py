"""The owner's side: who becomes an admin, who is served, how everything stands."""
