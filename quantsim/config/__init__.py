"""Experiments: typed, frozen and validated configurations, read from TOML, with an identity."""

from quantsim.config.experiment import Experiment

__all__ = ["Experiment"]
