"""The First Order Motion Model (Siarohin et al. 2019): its networks, and how they are run fast."""
