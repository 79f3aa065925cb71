"""``quantsim worker``: joins a search from another terminal or another machine."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands.options import Quiet, RuleFiles, Settings, Verbose
from quantsim.commands.optuna import report_of
from quantsim.commands.session import note, open_store, place_of, say
from quantsim.commands.watch import Watcher, watching
from quantsim.limits import MOST_TRIALS

if TYPE_CHECKING:
    from quantsim.drivers.search import SearchProgress

__all__ = ["worker"]


def worker(
    storage: Annotated[
        str,
        typer.Option(
            metavar="FILE|URL",
            envvar="QUANTSIM_STORAGE",
            help="Where the Optuna study is kept: as for `quantsim optuna`.",
        ),
    ],
    study_name: Annotated[str, typer.Option(help="Name of the Optuna study, as `quantsim optuna` shows it.")],
    trials: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_TRIALS, help="How many trials to run here. Default: until the study has all."),
    ] = None,
    settings: Settings = None,
    rule_files: RuleFiles = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL", help="A checkpoint store that gets the trials, too. Default: the driver's alone does."
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Joins a search: runs trials of a study beside `quantsim optuna`, or without it.

    What is searched is read from the study; the prices are this machine's, and must be the same. Where they lie elsewhere,
    say so with --set data.source=FOLDER. Any number of workers may come and go; one that is killed costs its trial at hand,
    which another runs again.
    """
    from quantsim.drivers.search import join_study

    with contextlib.ExitStack() as stack:
        results = None if store is None else stack.enter_context(open_store(store))
        watch: Watcher = stack.enter_context(watching("trial", quiet=quiet))

        def report(progress: SearchProgress) -> None:
            watch(report_of(progress))

        run = join_study(
            storage,
            study_name,
            trials=trials,
            store=results,
            settings=settings or (),
            rule_files=rule_files or (),
            progress=report,
        )
    say(
        f"Ran {run.n_trials} trials of study {run.study_name} in {run.seconds:.1f} s; it has {run.finished} of {run.total}."
    )
    if results is not None and run.run_id is not None:
        say(f"Checkpoints: {place_of(results)}, run {run.run_id[:8]}")
    if run.finished < run.total:
        note(
            f"To go on: quantsim worker --storage {shlex.quote(run.storage)} --study-name {shlex.quote(run.study_name)}"
        )
