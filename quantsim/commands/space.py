"""``quantsim space``: shows a search space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.options import Json, Quiet, Settings, Study, Verbose
from quantsim.commands.output import print_json, say, show
from quantsim.commands.session import load_experiment

if TYPE_CHECKING:
    from quantsim.config import Experiment

__all__ = ["space"]

DEFAULT_STUDY = "momentum_fees"


def space(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[RULE|POOL|SPACE|FILE]",
            autocompletion=completion.spaces,
            help="A rule, a type of pool, a bundled search space, or a file. Default: the study's.",
        ),
    ] = None,
    study: Study = DEFAULT_STUDY,
    settings: Settings = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Shows and checks a search space: every trial parameter with its range or choices, in human units."""
    from quantsim.report import space_table
    from quantsim.report.json_results import space_json
    from quantsim.search_space import load_search_space

    experiment = load_experiment(study or DEFAULT_STUDY, settings)
    if name is not None:
        experiment = _with_space(experiment, name)
    found = load_search_space(experiment)
    if as_json:
        print_json(space_json(experiment, found))
        return
    units = {parameter.human_name: parameter.spec.unit for parameter in experiment.layout}
    show(space_table(found, units, f"Search space of {experiment.pool.label} on {', '.join(experiment.tokens)}"))
    say(f"{len(found.draws)} values to search; {experiment.search.sampler}, {experiment.search.trials} trials.")


def _with_space(experiment: Experiment, name: str) -> Experiment:
    """Returns the experiment with a rule or a type of pool and its bundled space, or with another space."""
    from quantsim.config import Experiment
    from quantsim.pools import pool_names
    from quantsim.rules import rule_names

    tables = experiment.model_dump(mode="json")
    if name not in (*rule_names(), *pool_names()):
        tables["search"] |= {"space": name}
    elif name not in (*experiment.pool.rule_names, experiment.pool.type):
        tables["pool"] = (tables["pool"] | {"rule": name, "ensemble": {}}) if name in rule_names() else {"type": name}
        tables |= {"parameters": {}}  # the given ones are for the study's own rule or pool
        tables["search"] |= {"space": None, "fixed": {}}
    return Experiment.from_dict(tables, f"the study with {name}", own_rules=experiment.own_rules)
