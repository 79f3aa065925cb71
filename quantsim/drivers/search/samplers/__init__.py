"""Samplers by name, and samplers of this package."""
