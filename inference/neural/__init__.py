"""What the neural engines share: layers, fast convolutions, loading, device and precision."""
