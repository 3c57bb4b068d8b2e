"""The embedded Redis server: a Valkey of our own, as a child of the program."""
