"""A trial of a search as a study file (TOML): ``quantsim simulate --study`` simulates what the trial did."""

from __future__ import annotations

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.config.toml_text import toml_text
from quantsim.parameters import replaced
from quantsim.search_space import HumanParams

__all__ = ["study_text", "trial_experiment"]


def trial_experiment(experiment: Experiment, params: HumanParams, name: str, description: str = "") -> Experiment:
    """The experiment with the parameters of a trial as its own.

    Args:
        experiment: what was searched.
        params: human-readable name → number or one per label, as :meth:`SearchSpace.to_params` gives them.
        name: of the new experiment.
        description: of the new experiment.
    """
    tables = experiment.model_dump(mode="json")
    parameters = replaced(experiment.layout, dict(experiment.parameters), params)
    values = {**tables, "name": name, "description": description, "parameters": parameters}
    return Experiment.from_dict(values, own_rules=experiment.own_rules)


def study_text(experiment: Experiment) -> str:
    """The experiment as TOML: what differs from the defaults, with all digits, and passwords redacted.

    An experiment that is read from it has the same identity.
    """
    return redact(toml_text(experiment.model_dump(mode="json", exclude_defaults=True)))
