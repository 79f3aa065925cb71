"""Which stored runs compare: their metrics mean the same only where study, prices and parameters agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import IMPORTED, Run
from quantsim.checkpoints.stored import content_of, of_same_study
from quantsim.config import Experiment
from quantsim.config.identity import GRADIENTS, Decides, differences
from quantsim.discovery import is_in_file
from quantsim.errors import ConfigError, SelectionError

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["check_strategy", "comparable_runs", "runs_to_pick_from", "same_prices"]

_MOST_LISTED = 8


def comparable_runs(runs: Iterable[Run], study: Experiment | Run) -> list[Run]:
    """The runs whose metrics compare with those of that study, or of that run's, on the same prices."""
    return of_same_study(runs, study, Decides.VALUE)


def same_prices(runs: Sequence[Run]) -> list[Run]:
    """The runs that have the prices of the first one."""
    return [run for run in runs if run.data_id == runs[0].data_id]


def runs_to_pick_from(
    store: CheckpointStore,
    study: Experiment | None,
    run: str | None = None,
    *,
    any_study: bool = False,
    settled: bool = False,
) -> list[Run]:
    """The runs that a method picks from, all of one study and on the same prices, the newest first.

    Args:
        store: where they are.
        study: whose runs count; None where the store has runs of one study only.
        run: id of the only run that counts; its first characters suffice.
        any_study: where there is no run of ``study``, whether runs of another study with its rule and tokens will do.
        settled: whether unfinished gradient runs are left out, so that a command that is given again to resume a gradient run
            finds the start that the run had.

    Raises:
        CheckpointError: there is no such run.
        SelectionError: there is no run that counts, or there are runs of several studies; the message lists them.
    """
    if run is not None:
        return [store.run(run)]
    runs = [one for one in store.find_runs() if not (settled and _unfinished(one, study))]
    if study is not None:
        known, runs = runs, comparable_runs(runs, study)
        if not runs:
            wanted = _strategy(study.model_dump(mode="json"))
            runs = [one for one in known if _strategy(one.config) == wanted]
            if runs and not any_study:
                raise SelectionError(_no_run_of(study, runs))
    if not runs:
        what = "" if study is None else f" of {study.pool.strategy_name} on {', '.join(study.tokens)}"
        raise SelectionError(
            f"{store.location} has no run{what} to pick from: run `quantsim optuna` or `quantsim sgd` without --from first, or "
            "name a checkpoint by its key"
        )
    groups = _by_study(runs)
    if len(groups) > 1:
        raise SelectionError(_which(groups))
    return runs


def check_strategy(key: str, run: Run, experiment: Experiment) -> None:
    """Raises ConfigError where the parameters of a run mean nothing in an experiment: its rule, tokens or their order differ.

    Args:
        key: of the checkpoint that is wanted, for the message.
        run: that wrote it.
        experiment: that it is wanted for.
    """
    if _strategy(run.config) != _strategy(experiment.model_dump(mode="json")):
        pool, tokens = run.config["pool"], _strategy(run.config)["tokens"]
        raise ConfigError(
            f"checkpoint {key} is of {pool.get('rule') or pool.get('ensemble')} on {', '.join(tokens)}, and study "
            f"{experiment.name!r} of {experiment.pool.strategy_name} on {', '.join(experiment.tokens)}: rule, tokens and their "
            "order must agree"
        )


def _strategy(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides what its parameters are; of users' rules their names, wherever the files lie."""
    pool = config.get("pool", {})
    tokens = pool.get("tokens") or config.get("data", {}).get("tokens", ())
    parts = {name: (list(part["tokens"]), *_rules(part)) for name, part in config.get("subsidiaries", {}).items()}
    return {"tokens": list(tokens), "rules": _rules(pool), "subsidiaries": parts}


def _rules(pool: Mapping[str, Any]) -> tuple[Any, Any]:
    def anywhere(name: str | None) -> str | None:
        return f"file:{name.rpartition(':')[2]}" if name and is_in_file(name) else name

    return anywhere(pool.get("rule")), {name: anywhere(rule) for name, rule in (pool.get("ensemble") or {}).items()}


def _unfinished(run: Run, study: Experiment | None) -> bool:
    """Whether it is a gradient run that the command at hand may have begun."""
    unfinished = run.driver == "sgd" and run.status != "finished"
    return unfinished and (study is None or bool(of_same_study([run], study, GRADIENTS)))


def _by_study(runs: Iterable[Run]) -> list[list[Run]]:
    groups: list[tuple[Any, list[Run]]] = []
    for run in runs:
        what = content_of(run, Decides.VALUE), run.data_id, run.driver == IMPORTED
        members = next((members for known, members in groups if known == what), None)
        if members is None:
            groups.append((what, [run]))
        else:
            members.append(run)
    return [members for _, members in groups]


def _which(groups: Sequence[Sequence[Run]]) -> str:
    """The message where a method could pick from runs of several studies."""
    newest = groups[0][0]
    lines = []
    for members in groups[:_MOST_LISTED]:
        run, others = members[0], len(members) - 1
        more = "" if not others else f" and {others} more {'run' if others == 1 else 'runs'}"
        words = "{key} {given}, and {stored} in the newest"
        changed = differences(content_of(newest, Decides.VALUE), content_of(run, Decides.VALUE), words)
        told = "; ".join(changed) if changed else _same_study(run, newest)
        lines.append(
            f"  run {run.run_id[:8]}: {run.name} ({run.driver}), {run.started_at:%Y-%m-%d %H:%M} UTC{more}: {told}"
        )
    if len(groups) > _MOST_LISTED:
        lines.append(f"  and {len(groups) - _MOST_LISTED} more")
    return (
        f"there are runs of {len(groups)} studies, whose metrics do not compare: give the study (--study) or a run (--run) to "
        "pick from, or name a checkpoint by its key\n" + "\n".join(lines)
    )


def _same_study(run: Run, newest: Run) -> str:
    """How a run differs from the newest one, where their studies do not."""
    if run is newest:
        return "the newest"
    return "the same study on other prices" if run.data_id != newest.data_id else "the same study, imported or not"


def _no_run_of(study: Experiment, runs: Sequence[Run]) -> str:
    wanted = study.content(Decides.VALUE)
    found = ((differences(content_of(run, Decides.VALUE), wanted), run) for run in runs)
    changed, run = min(found, key=lambda pair: len(pair[0]))
    return (
        f"no run of study {study.name!r}, as it is given, is stored. Run {run.run_id[:8]}, {run.name!r} ({run.driver}), "
        "differs in what decides the figures:\n"
        + "\n".join(f"  {line}" for line in changed)
        + "\nLeave the study and its changes out (--study, --set) to take a run's own study, or take its parameters into the "
        "study given with as_study (--as-study)"
    )
