"""Experiments: typed, frozen, validated; TOML in, identity out."""

from quantsim.config.experiment import Experiment

__all__ = ["Experiment"]
