"""LivePortrait (Guo et al. 2024): its networks, its motion arithmetic and its crops."""
