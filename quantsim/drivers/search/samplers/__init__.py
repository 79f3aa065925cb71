"""What draws trials: samplers by name, our own ones, and the generations that population samplers draw."""
