"""The parts of the `flow` engine: motion measured by optical flow, a photo warped by it."""
