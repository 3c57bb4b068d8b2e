"""One engine in a process of its own: warm, watched and killable."""
