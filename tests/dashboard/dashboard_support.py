"""A finished study of two objectives, small but real: simulated on bundled prices, its trials as a worker stores them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.study import Study

from quantsim import Experiment, Prices
from quantsim.drivers.search.evaluation import Call, run
from quantsim.drivers.search.study import METRICS, describe_task, identify, open_study
from quantsim.drivers.search.values import trial_values
from quantsim.json_values import json_number
from quantsim.report.study_note import dashboard_attributes
from quantsim.search_space import SearchSpace, load_search_space
from quantsim.simulator import Evaluator

NAME = "two_aims"


def two_aims() -> Experiment:
    return Experiment.from_dict(
        {
            "name": NAME,
            "description": "Return against calm.",
            "data": {"tokens": ["BTC", "ETH"], "bar_minutes": 60},
            "periods": {
                "train_start": "2018-04-01",
                "train_end": "2018-05-01",
                "validation_end": "2018-05-15",
                "test_end": "2018-06-01",
            },
            "pool": {"rule": "momentum"},
            "update": {"max_memory_days": 30.0},
            "parameters": {"memory_days": 20.0, "k_per_day": [20.0, 10.0]},
            "search": {"objectives": ["daily_log_sharpe", "turnover"]},
        }
    )


class Searched:
    """The study and what made it; :meth:`add` runs another trial."""

    def __init__(self, storage: BaseStorage, prices: Prices) -> None:
        self.experiment, self.prices = two_aims(), prices
        self.space: SearchSpace = load_search_space(self.experiment)
        self.evaluator = Evaluator(self.experiment, prices)
        identity = identify(self.experiment, prices.identity, self.space)
        self.study: Study = open_study(storage, NAME, identity, self.experiment.search_objectives)
        describe_task(self.study, self.experiment)
        self.study.sampler = RandomSampler(seed=5)

    def add(self, count: int) -> None:
        for _ in range(count):
            trial = self.study.ask(self.space.distributions())
            params = self.experiment.initial_parameters(self.space.to_params(trial.params))
            (result,) = run(self.evaluator, Call((params,)))
            metrics = result.metrics
            stored = {split: {name: json_number(x) for name, x in table.items()} for split, table in metrics.items()}
            trial.set_user_attr(METRICS, stored)
            for column, value in dashboard_attributes(metrics, self.experiment.objective.name).items():
                trial.set_user_attr(column, value)
            self.study.tell(trial, trial_values(self.experiment, metrics))


@contextlib.contextmanager
def serving(server: WSGIServer) -> Iterator[None]:
    """Has a thread answer requests while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
