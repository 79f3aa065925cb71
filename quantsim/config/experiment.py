"""The experiment: everything that decides a result, in one frozen object."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from quantsim.config.consistency import check_consistent
from quantsim.config.driver_sections import DriverName, Hybrid, Search, Sgd
from quantsim.config.given_objects import with_names
from quantsim.config.identity import Decides, content, digest
from quantsim.config.locate import find_study, is_bundled
from quantsim.config.overrides import assigned, merged, with_assignments, with_tables
from quantsim.config.paths import MEMORY, absolute_paths, with_source
from quantsim.config.pool_tables import Pool, Subsidiary
from quantsim.config.pools import pool_parameters, pool_views
from quantsim.config.sections import Data, Periods, Series
from quantsim.config.text_file import check_depth
from quantsim.config.toml_file import read_toml
from quantsim.config.volume_file import with_volume_model
from quantsim.discovery import SourceName, is_loadable, stored_names
from quantsim.errors import ConfigError
from quantsim.objective.settings import Objective
from quantsim.parameters import Parameter, replaced, to_human, to_raw
from quantsim.pools.settings import Fees, PoolView, Update
from quantsim.rules import Rule
from quantsim.settings.base import Section, cause_of, describe
from quantsim.settings.kinds import Frozen, GroupName, StudyName, Table, flat_table

if TYPE_CHECKING:
    from quantsim.config.fingerprint import Translation
    from quantsim.prices import PriceData, Prices

__all__ = ["Experiment"]

Subsidiaries = Annotated[tuple[tuple[GroupName, SerializeAsAny[Subsidiary]], ...], Table()]


class Experiment(Section, decides=Decides.TRIALS | Decides.STEPS):
    """A pool, its data and periods, the objective, and the settings of the drivers. docs/studies.md explains every key.

    An experiment is frozen, hashable, and validated when it is made. Experiments with equal content have equal
    :attr:`identity`, independent of their names and files.

    Raises:
        ConfigError: from :meth:`load`, :meth:`from_dict`, :meth:`from_fingerprint` and :meth:`override`; the message names
            every invalid key, its value and the remedy.
    """

    name: Annotated[StudyName, Decides.NOTHING] = "experiment"
    """Name of the study in stores and tables; by default that of the file."""
    description: Annotated[str, Decides.NOTHING] = ""
    """One or two sentences for readers."""
    driver: Annotated[DriverName | None, Decides.NOTHING] = None
    """The driver of ``quantsim run``."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of everything that is drawn at random."""
    data: Data
    """The prices."""
    periods: Periods
    """Training, validation and test."""
    pool: SerializeAsAny[Pool]
    """The pool and its rule."""
    subsidiaries: Subsidiaries = ()
    """Pools whose shares the pool holds: one table per name."""
    update: Update = Update()
    """When and how fast weights move."""
    fees: Fees = Fees()
    """Trading costs."""
    series: Series = Series()
    """Files of values that vary over time."""
    objective: Objective = Objective()
    """What is maximised, and what is stored."""
    sgd: Sgd = Sgd()
    """The gradient driver."""
    hybrid: Hybrid = Hybrid()
    """The hybrid driver."""
    search: Search = Search()
    """The search driver."""
    parameters: Frozen = ()
    """Parameters by human-readable or raw name: a number for all tokens, or one per token; groups as tables."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_consistent(self)
        return self

    def __repr__(self) -> str:
        splits = ", ".join(f"{name} from {start:%Y-%m-%d}" for name, (start, _) in self.periods.splits().items())
        return f"Experiment({self.name!r}: {self.pool.strategy_name} on {', '.join(self.tokens)}; {splits})"

    def __getstate__(self) -> dict[Any, Any]:
        """The fields alone. Derived values are cheap to compute again, and rules cannot be pickled."""
        state = super().__getstate__()
        return {**state, "__dict__": {name: state["__dict__"][name] for name in type(self).model_fields}}

    @functools.cached_property
    def pools(self) -> tuple[PoolView, ...]:
        """All pools, subsidiaries before the pools that hold them; the main pool is the last."""
        return pool_views(
            self.pool,
            self.tokens,
            self.update,
            self.fees,
            dict(self.subsidiaries),
            self.data.tokens,
            dict(self.parameters),
        )

    @functools.cached_property
    def layout(self) -> tuple[Parameter, ...]:
        """All parameters of all pools, in dependency order."""
        return tuple(parameter for pool in self.pools for parameter in pool_parameters(pool))

    @property
    def tokens(self) -> tuple[str, ...]:
        """The holdings of the pool, in order: ``pool.tokens``, or the tokens of the data."""
        return self.pool.tokens or self.data.tokens

    @property
    def rule(self) -> Rule | None:
        """The rule that ``pool`` names, or its ensemble as one; None for a pool without."""
        return self.pool.strategy()

    @property
    def active_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that have an effect under this experiment's settings."""
        return tuple(parameter for parameter in self.layout if parameter.active)

    @property
    def trainable(self) -> frozenset[str]:
        """Raw names of the trained parameters: those in ``sgd.train``, or all trainable ones."""
        wanted = self.sgd.train
        return frozenset(
            parameter.raw_name
            for parameter in self.layout
            if parameter.trainable and (wanted is None or {parameter.raw_name, parameter.human_name} & set(wanted))
        )

    @property
    def search_objectives(self) -> tuple[str, ...]:
        """The objectives of a search, all maximised: ``search.objectives``, or the experiment's own objective.

        A name is a metric, or a metric of the periods such as ``sharpe.worst``; with a minus before it, it is minimised.
        """
        return self.search.objectives or (self.objective.name,)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Notes that must accompany every result: settings that are only for reproducing published figures."""
        settings = dict.fromkeys(setting for pool in self.pools for setting in pool.published)
        return tuple(
            f"this result uses {setting}, which is only for reproducing published figures" for setting in settings
        )

    @property
    def identity(self) -> str:
        """The identity for all purposes. Names, budgets and locations of files do not count. See :meth:`identity_for`."""
        return self.identity_for(~Decides.NOTHING)

    def identity_for(self, purpose: Decides) -> str:
        """Returns the SHA-256, in hexadecimal, of the keys that count for ``purpose`` and are not at their defaults.

        So a key that a later version adds does not change it. For a rule in a user's file the code counts. The content of
        price and series files is not included; the identity of the data covers it.
        """
        values = self.model_dump(mode="json")
        return digest(content(type(self), values, purpose, self.rule_sources, changed=True))

    def content(self, purpose: Decides) -> dict[str, Any]:
        """Returns the keys that count for ``purpose``, for comparison; see :func:`quantsim.config.identity.content`."""
        return content(type(self), self.model_dump(mode="json"), purpose, self.rule_sources)

    @property
    def own_rules(self) -> dict[str, SourceName]:
        """The pools, rules and fee rules from users' files: name → file with its hash."""
        pools = (self.pool, *(pool for _, pool in self.subsidiaries))
        names = {name for pool in pools for name in (*pool.rule_names, pool.type or "")}
        names |= {fees.rule for fees in (self.fees, *(pool.fees for _, pool in self.subsidiaries)) if fees.rule}
        return {str(name): name for name in sorted(names) if isinstance(name, SourceName)}

    @property
    def is_only_read(self) -> bool:
        """Whether this is a stored study with rules in users' files that may not be run."""
        return not all(map(is_loadable, self.own_rules.values()))

    @property
    def rule_sources(self) -> dict[str, str | None]:
        """Name → SHA-256 of the file, of :attr:`own_rules`."""
        return {name: source.digest for name, source in self.own_rules.items()}

    def initial_parameters(self, values: Mapping[str, Any] | None = None) -> dict[str, NDArray[np.float64]]:
        """Returns raw parameters, one value per label: those of the experiment, replaced by the given ones.

        Args:
            values: raw or human-readable name → number, or one number per label; groups as nested tables or dotted names.

        Raises:
            ParameterError: a name, shape or value is invalid.
        """
        given = replaced(self.layout, dict(self.parameters), flat_table(values or {}))
        for pool in self.pools:
            for name in pool.ignored:
                given.pop(name, None)
        return to_raw(self.layout, given)

    def human_parameters(self, raw: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
        """Returns the human-readable values of a complete raw set, without inactive parameters."""
        return to_human(self.active_parameters, raw)

    def load_prices(self, *, given_series: Collection[str] = ()) -> Prices:
        """Loads the prices of the table ``data``.

        Args:
            given_series: keys of ``series`` whose values are in memory, so that their files are not needed.

        Raises:
            PriceError: as in :func:`quantsim.prices.load_prices`; a file of ``series`` does not exist; or this is a stored
                experiment whose prices were in memory.
        """
        from quantsim.config.price_source import load

        return load(self, given_series)

    def prices(self, given: PriceData | None = None, *, given_series: Collection[str] = ()) -> Prices:
        """Returns the given prices as :class:`~quantsim.Prices`, or those of the table ``data`` if none are given.

        A data frame is read as a file of these prices would be: ``data.bar_minutes``, ``data.forward_fill_bars`` and, for a
        frame with a column per token, ``data.stamps`` apply.

        Args:
            given: prices, a frame indexed by time with a column per token, or a dictionary of OHLCV frames by token.
            given_series: as in :meth:`load_prices`.

        Raises:
            PriceError: a token is missing, or the data is invalid; or as :meth:`load_prices`.
        """
        from quantsim.config.price_source import given as given_prices

        return self.load_prices(given_series=given_series) if given is None else given_prices(self, given)

    def prices_note(self, prices: Prices) -> str | None:
        """Returns a note on prices that differ from those of the table ``data``, such as prices in memory; else None."""
        from quantsim.config.price_source import note

        return note(self.data, prices)

    def recorded(self, prices: Prices) -> Self:
        """Returns the experiment as a run on these prices stores it: other prices than those of ``data`` have source "memory".

        So opening the run again asks for the prices instead of loading others. The identity does not change.
        """
        if self.prices_note(prices) is None:
            return self
        return self.model_copy(update={"data": self.data.model_copy(update={"source": MEMORY})})

    @classmethod
    def from_dict(
        cls,
        values: Mapping[str, Any],
        source: str = "experiment",
        *,
        base: Path | None = None,
        own_rules: Mapping[str, SourceName] | None = None,
    ) -> Self:
        """Builds an experiment from nested tables, as in a study file.

        Args:
            values: the tables. Rules, fee rules and pools may be objects.
            source: name of the source, for messages.
            base: folder of relative paths; None for the working directory.
            own_rules: names of users' rules that are already loaded, such as :attr:`own_rules` of the experiment that the
                tables come from. Files of other rules are read and run.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{source} is not valid: it must be a table of tables, not {type(values).__name__}")
        check_depth(values, source)
        values, given = with_names(values)
        own_rules = {**(own_rules or {}), **given}
        values = with_volume_model(absolute_paths(values, Path.cwd() if base is None else base, own_rules))
        try:
            return cls.model_validate(values, context=own_rules)
        except ValidationError as error:
            raise describe(error, source, values) from cause_of(error)

    @classmethod
    def from_stored(
        cls,
        config: Mapping[str, Any],
        rule_sources: Mapping[str, str],
        rule_files: Iterable[str | os.PathLike[str]] = (),
        source: str = "the stored study",
    ) -> Self:
        """Opens a stored configuration without running any file that it names.

        If it names rules in users' files that are not given, everything that needs these rules raises ConfigError.

        Args:
            config: the stored configuration.
            rule_sources: name of a user's rule → SHA-256 of its file, as stored with the configuration.
            rule_files: files that may be run; their hashes must match stored ones.
            source: name of the configuration, for messages.

        Raises:
            ConfigError: the configuration is not valid, or the hash of a file does not match.
        """
        names = stored_names(config, rule_sources, rule_files, source)
        return cls.from_dict(config, source, own_rules=names)

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Self:
        """Loads a bundled study by name, a study file (TOML), or a fingerprint (JSON).

        See :func:`~quantsim.config.locate.find_study`. Relative paths in the file are relative to its folder. A file that does
        not name the source of its prices has that of the project (:mod:`quantsim.project`).

        Args:
            name_or_path: name or path of the study.
            overrides: as in :meth:`override`. A fingerprint is checked after they are applied.
        """
        path = find_study(name_or_path)
        if path.suffix.lower() == ".json":
            from quantsim.config.fingerprint import read_fingerprint, translate

            translation = translate(read_fingerprint(path), str(path))
            translation.warn()
            return cls.from_translation(translation, assigned({"name": path.stem, **translation.tables}, overrides))
        values = {"name": path.stem, **read_toml(path, "study file")}
        if not is_bundled(path):
            values = with_source(values)
        experiment = cls.from_dict(values, str(path), base=path.parent.resolve())
        assignments = list(overrides)
        return experiment.override(assignments) if assignments else experiment

    @classmethod
    def from_fingerprint(cls, fingerprint: Mapping[str, Any], **tables: Any) -> Self:
        """Builds an experiment from a configuration dictionary of quantammsim. See docs/fingerprints.md.

        Args:
            fingerprint: keys and values; missing keys have the defaults of quantammsim.
            **tables: tables that replace or extend the translated ones, e.g. ``data={"source": "prices/"}``.

        Raises:
            ConfigError: a key is unknown, or a value cannot be translated or is not valid.

        Warns:
            FingerprintWarning: keys have another meaning here, or no effect. One warning names all of them.
        """
        from quantsim.config.fingerprint import translate

        translation = translate(fingerprint)
        translation.warn()
        return cls.from_translation(
            translation, merged({"name": str(fingerprint["rule"]), **translation.tables}, tables)
        )

    @classmethod
    def from_translation(cls, translation: Translation, tables: Mapping[str, Any]) -> Self:
        """Builds an experiment from the tables of a translated fingerprint, with a user's changes."""
        try:
            return cls.from_dict(tables, translation.source)
        except ConfigError as error:
            raise translation.explained(error) from error

    def replace(self, **tables: Any) -> Self:
        """Returns a copy with keys of tables replaced. Rules, fee rules and pools may be objects.

        Args:
            **tables: table → its keys to replace; ``parameters`` is replaced as a whole.

        Raises:
            ConfigError: a key or value is not valid.

        Example:
            >>> study = Experiment.load("momentum_fees").replace(fees={"swap_fee": 0.001}, search={"trials": 50})
            >>> study.fees.swap_fee, study.search.trials
            (0.001, 50)
        """
        values = with_tables(self.model_dump(mode="json"), tables)
        return self.from_dict(values, "the study with its changes", own_rules=self.own_rules)

    def override(self, assignments: Iterable[str]) -> Self:
        """Returns a copy with ``section.key=value`` assignments applied, each value written as in TOML.

        Example:
            >>> experiment.override(["fees.swap_fee=0.003", "sgd.steps=100"])  # doctest: +SKIP
        """
        values = with_assignments(self.model_dump(mode="json"), list(assignments))
        return self.from_dict(values, "the study with its overrides", own_rules=self.own_rules)
