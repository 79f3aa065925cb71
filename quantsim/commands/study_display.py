"""Prints results of a search: the front of several objectives and importances. Also writes HTML pages."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quantsim.commands.display import show_next, show_uses
from quantsim.commands.output import note, say, show
from quantsim.commands.session import place_of
from quantsim.errors import QuantsimError

if TYPE_CHECKING:
    from optuna.study import Study

    from quantsim.checkpoints import Checkpoint, CheckpointStore
    from quantsim.config import Experiment
    from quantsim.drivers.hybrid import HybridRun
    from quantsim.drivers.search import SearchRun
    from quantsim.prices import Prices
    from quantsim.report import Comparison
    from quantsim.storages.location import Location
    from quantsim.validation import Validation

__all__ = ["attach_pictures", "describe_in_dashboard", "naming_take_over", "show_places", "show_study"]

_MOST_ROWS = 20


def show_study(
    experiment: Experiment, run: SearchRun, storage: Location, pages: Path | None, comparison: Comparison
) -> None:
    """Prints the front of several objectives and importances; writes HTML pages if a folder is given."""
    from quantsim.drivers.search.study import load_study, quiet_optuna
    from quantsim.optuna_private import import_importance
    from quantsim.report.study_pages import importances, write_study_pages
    from quantsim.storages.opened import opened_storage

    import_importance()
    names = experiment.search_objectives
    with quiet_optuna(), opened_storage(storage) as opened:
        study = load_study(opened, run.study_name)
        if len(names) > 1:
            _show_front(study, run, names)
        for index, name in enumerate(names):
            found = importances(study, index)
            if len(found) > 1:
                shares = ", ".join(f"{parameter} {100 * share:.0f} %" for parameter, share in found.items())
                say(f"Importances for {name}: {shares}.")
        if pages is not None:
            written = write_study_pages(study, pages, names, experiment.cautions, comparison)
            say(f"Pages: {', '.join(str(path) for path in written)}")


def show_places(
    experiment: Experiment,
    run: SearchRun | HybridRun,
    results: CheckpointStore,
    best: Checkpoint,
    store: str,
    *,
    own_storage: bool,
) -> None:
    """Prints the location of a study and its checkpoints, and commands for the next step.

    Args:
        experiment: experiment of the run.
        run: the completed run.
        results: the open store.
        best: the selected checkpoint.
        store: location of the store, as the user gave it.
        own_storage: whether the user named the storage of the study.
    """
    say(f"Checkpoints: {place_of(results)}, run {results.run(run.run_id).key}")
    say(f"Optuna study: {run.storage}, name {run.study_name}")
    show_uses(experiment, best.key, store)
    show_next(store, f"dashboard --storage {shlex.quote(run.storage)}" if own_storage else "dashboard")


@contextlib.contextmanager
def naming_take_over() -> Iterator[None]:
    """Adds the name of the option ``--take-over`` to an error about a held lease."""
    try:
        yield
    except QuantsimError as error:
        if "take_over=True" in str(error):
            error.add_note("on the command line: --take-over")
        raise


def describe_in_dashboard(
    experiment: Experiment,
    prices: Prices,
    run: SearchRun | HybridRun,
    storage: Location,
    store_location: str,
    comparison: Comparison,
    validation: Validation | None,
) -> None:
    """Adds the result beside the baselines, and its validation, to the study's note in the dashboard."""
    from quantsim.drivers.search.note import write_note
    from quantsim.drivers.search.study import load_study, quiet_optuna
    from quantsim.report.study_note import describe_prices, result_lines, selection_advice, study_note
    from quantsim.report.validation_text import validation_markdown
    from quantsim.search_space import load_search_space
    from quantsim.storages.opened import opened_storage

    advice = selection_advice(experiment, run.run_id, store_location)
    data, lines = describe_prices(experiment, prices), result_lines(comparison)
    if validation is not None:
        lines += ["", *validation_markdown(validation)]
    text = study_note(experiment, load_search_space(experiment), data, advice, lines)
    with quiet_optuna(), opened_storage(storage) as opened:
        write_note(load_study(opened, run.study_name), text)


def attach_pictures(
    experiment: Experiment, prices: Prices, run: SearchRun, storage: Location, store_location: str
) -> None:
    """Attaches a picture and a study file to the best trials, for the dashboard, unless they have them."""
    from quantsim.dashboard.artifacts import artifact_folder, attach_artifacts
    from quantsim.dashboard.notable import notable_trials
    from quantsim.drivers.search.study import load_study, quiet_optuna
    from quantsim.storages.opened import opened_storage

    folder = artifact_folder(storage, store_location)
    if folder is None:
        return
    with quiet_optuna(), opened_storage(storage) as opened:
        study = load_study(opened, run.study_name)
        attach_artifacts(study, notable_trials(study, experiment), experiment, prices, folder)


def _show_front(study: Study, run: SearchRun, names: tuple[str, ...]) -> None:
    from quantsim.objective import is_cost
    from quantsim.report import front_table

    # Costs, which are stored negated, are shown positive.
    names = tuple(f"-{name}" if not name.startswith("-") and is_cost(name) else name for name in names)
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    shown = run.front[:_MOST_ROWS]
    rows = [(number, trials[number].values) for number in shown]
    show(front_table(rows, names, run.best_trial))
    if len(run.front) > len(shown):
        note(f"Note: there are {len(run.front) - len(shown)} more on the front; the dashboard and the pages show all.")
    say(
        f"Front: {len(run.front)} trials, hypervolume {run.hypervolume:.3f} of 1. Balanced choice (nearest to the best of "
        f"each): trial {run.best_trial}."
    )
