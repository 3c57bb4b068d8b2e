"""The `animato` command line. Composition only, no logic."""
