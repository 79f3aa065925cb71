"""Weights that a rule steers, or that stay constant: settings, bounds, ramps, trading hours. Several pools build on it."""
