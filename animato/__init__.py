"""The front door: the `animato` command line, composition only."""
