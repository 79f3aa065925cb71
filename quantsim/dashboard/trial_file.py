"""A trial of a search as a study file (TOML), which ``quantsim simulate --study`` simulates."""

from __future__ import annotations

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.config.toml_text import toml_text
from quantsim.parameters import replaced
from quantsim.search_space import HumanParams

__all__ = ["study_text", "trial_experiment"]


def trial_experiment(experiment: Experiment, params: HumanParams, name: str, description: str = "") -> Experiment:
    """Returns the experiment with the parameters of a trial.

    Args:
        experiment: experiment of the search.
        params: human-readable name → number, or one per label, as from :meth:`SearchSpace.to_params`.
        name: name of the new experiment.
        description: description of the new experiment.
    """
    tables = experiment.model_dump(mode="json")
    parameters = replaced(experiment.layout, dict(experiment.parameters), params)
    values = {**tables, "name": name, "description": description, "parameters": parameters}
    return Experiment.from_dict(values, own_rules=experiment.own_rules)


def study_text(experiment: Experiment) -> str:
    """Returns an experiment as TOML, without keys at their defaults, with all digits and redacted passwords.

    Reading it gives an experiment with the same identity.
    """
    return redact(toml_text(experiment.model_dump(mode="json", exclude_defaults=True)))
