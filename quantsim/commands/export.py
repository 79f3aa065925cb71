"""``quantsim export``: writes a parameter set for a deployment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.files import check_files, writing
from quantsim.commands.options import (
    DEFAULT_STORE,
    AsStudy,
    Json,
    Quiet,
    RuleFiles,
    Run,
    Settings,
    Store,
    Study,
    Verbose,
)
from quantsim.commands.output import note, say
from quantsim.commands.session import open_existing_store
from quantsim.commands.starting import StudyOptions

__all__ = ["export"]

DEFAULT_STUDY = "momentum_zero_fee"


def export(
    start: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHECKPOINT|METHOD]",
            autocompletion=completion.methods,
            show_default=False,
            help=(
                "A stored checkpoint, e.g. 3f9c01ab:120:0, or a selection method: best, best_validation, ...; with the study "
                "of its run. Default: the study's own parameters."
            ),
        ),
    ] = None,
    study: Study = None,
    settings: Settings = None,
    run: Run = None,
    as_study: AsStudy = False,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Output file. Default: the standard output."),
    ] = None,
    replay: Annotated[
        bool, typer.Option(help="Add the rule's state at the end of the prices, and a replay of their last 30 days.")
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if QuantAMM's contracts refuse a pool.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Writes a parameter set in on-chain form, with the pool's settings, as JSON.

    Every number is written as the exact decimal value of its float64, and as an integer with 18 decimals. The JSON names the
    experiment, the checkpoint, and the split that was used to choose it. For pools that QuantAMM's contracts can run, it has
    the arguments that create them; for others, it says what the contracts refuse.
    """
    check_files(other=output)
    from quantsim.checkpoints.finding import start_from
    from quantsim.report.deployment import check_accepted, deployment

    options = StudyOptions(study, tuple(settings or ()), run, tuple(rule_files or ()))
    if start is None:
        experiment = options.own(DEFAULT_STUDY, "CHECKPOINT or METHOD", as_study=as_study)
        found = deployment(experiment, experiment.initial_parameters(), replay=replay)
    else:
        with open_existing_store(store) as results:
            stored = start_from(results, start, as_study=as_study, **options.stored())
        note(f"Exporting {stored.describe()}.")
        found = deployment(stored.experiment, stored, replay=replay)
        for line in found["run"]["differences"]:
            note(f"Note: not as in the run: {line}.")
        if stored.selection is not None and stored.selection.used_test_data:
            note("This checkpoint was chosen on test data.")
    for pool in found["pools"]:
        for remark in pool["remarks"]:
            note(f"Note: {pool['name']}: {remark}")
        for reason in pool["contract"]["refused"]:
            note(f"Refused by QuantAMM's contracts: {pool['name']}: {reason}")
        for warning in pool["contract"]["warnings"]:
            note(f"Note: {pool['name']}, contract: {warning}")
    if found["without_replay"] is not None:
        note(f"Note: no replay, and no initial state of the rule: {found['without_replay']}")
    if strict:
        check_accepted(found)
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False)
    if output is None or as_json:
        typer.echo(text)  # not with rich, which may break lines and add colours
    if output is None:
        return
    with writing(output):
        output.write_text(text + "\n", encoding="utf-8")
    say(f"Deployment: {output}")
