"""The experiment: everything that decides a result, in one frozen value."""

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
from quantsim.config.driver_sections import DriverName, Hybrid, Objective, Search, Sgd
from quantsim.config.identity import Decides, content, digest
from quantsim.config.locate import find_study
from quantsim.config.overrides import assigned, merged
from quantsim.config.paths import MEMORY, absolute_paths
from quantsim.config.pool_tables import Pool, Subsidiary
from quantsim.config.pools import pool_parameters, pool_views
from quantsim.config.sections import Data, Periods, Series
from quantsim.config.text_file import check_depth
from quantsim.config.toml_file import read_toml
from quantsim.discovery import SourceName, is_loadable, stored_names
from quantsim.errors import ConfigError
from quantsim.parameters import Parameter, replaced, to_human, to_raw
from quantsim.pools.settings import Fees, PoolView, Update
from quantsim.rules import Rule
from quantsim.settings.base import Section, cause_of, describe
from quantsim.settings.kinds import Frozen, GroupName, StudyName, Table, flat_table

if TYPE_CHECKING:
    from quantsim.config.fingerprint import Translation
    from quantsim.prices import Prices

__all__ = ["Experiment"]

Subsidiaries = Annotated[tuple[tuple[GroupName, SerializeAsAny[Subsidiary]], ...], Table()]


class Experiment(Section, decides=Decides.TRIALS | Decides.STEPS):
    """A pool, its data, its periods, what is maximised, and how; see docs/studies.md for every key.

    Frozen, hashable and checked when it is made. Two experiments of equal content have equal :attr:`identity`, whatever
    they are called and whatever file they come from.

    Raises:
        ConfigError: from :meth:`load`, :meth:`from_dict`, :meth:`from_fingerprint` and :meth:`override`, naming every key
            that is wrong, its value and what would be right.
    """

    name: Annotated[StudyName, Decides.NOTHING] = "experiment"
    description: Annotated[str, Decides.NOTHING] = ""
    driver: Annotated[DriverName | None, Decides.NOTHING] = None
    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    periods: Periods
    pool: SerializeAsAny[Pool]
    subsidiaries: Subsidiaries = ()
    update: Update = Update()
    fees: Fees = Fees()
    series: Series = Series()
    objective: Objective = Objective()
    sgd: Sgd = Sgd()
    hybrid: Hybrid = Hybrid()
    search: Search = Search()
    parameters: Frozen = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_consistent(self)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """Without what is derived from the content: it is cheap to make again, and rules are not for pickling."""
        state = super().__getstate__()
        return {**state, "__dict__": {name: state["__dict__"][name] for name in type(self).model_fields}}

    @functools.cached_property
    def pools(self) -> tuple[PoolView, ...]:
        """All pools, each after those whose shares it holds; the experiment's own is the last."""
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
        """Every parameter of every pool, in dependency order."""
        return tuple(parameter for pool in self.pools for parameter in pool_parameters(pool))

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the pool holds, in its order: ``pool.tokens``, or those of the data."""
        return self.pool.tokens or self.data.tokens

    @property
    def rule(self) -> Rule | None:
        """The rule that ``pool`` names, or its ensemble as one; None for a pool without."""
        return self.pool.strategy()

    @property
    def active_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that matter under this experiment's settings."""
        return tuple(parameter for parameter in self.layout if parameter.active)

    @property
    def trainable(self) -> frozenset[str]:
        """Raw names of the parameters that gradients move: all that can be moved, or those that ``sgd.train`` names."""
        wanted = self.sgd.train
        return frozenset(
            parameter.raw_name
            for parameter in self.layout
            if parameter.trainable and (wanted is None or {parameter.raw_name, parameter.human_name} & set(wanted))
        )

    @property
    def cautions(self) -> tuple[str, ...]:
        """What everybody who is shown a result must be told, in sentences: that it rests on forms that no pool should have."""
        settings = dict.fromkeys(setting for pool in self.pools for setting in pool.published)
        return tuple(
            f"this rests on {setting}, which is only for reproducing published figures" for setting in settings
        )

    @property
    def identity(self) -> str:
        """:meth:`identity_for` anything: names do not count, nor how much is done, nor where files lie."""
        return self.identity_for(~Decides.NOTHING)

    def identity_for(self, purpose: Decides) -> str:
        """SHA-256, in hex, of the keys that decide something of ``purpose`` and are not at their defaults.

        So a key that a later version adds changes none. Of a rule in a user's file the code counts. What files of prices and
        series hold is the identity of the data to tell.
        """
        values = self.model_dump(mode="json")
        return digest(content(type(self), values, purpose, self.rule_sources, changed=True))

    def content(self, purpose: Decides) -> dict[str, Any]:
        """The keys that decide something of ``purpose``, for comparison; see :func:`quantsim.config.identity.content`."""
        return content(type(self), self.model_dump(mode="json"), purpose, self.rule_sources)

    @property
    def own_rules(self) -> dict[str, SourceName]:
        """The names of pools, rules and fee rules of users' files, each with the content that it stands for."""
        pools = (self.pool, *(pool for _, pool in self.subsidiaries))
        names = {name for pool in pools for name in (*pool.rule_names, pool.type or "")}
        names |= {fees.rule for fees in (self.fees, *(pool.fees for _, pool in self.subsidiaries)) if fees.rule}
        return {str(name): name for name in sorted(names) if isinstance(name, SourceName)}

    @property
    def is_only_read(self) -> bool:
        """Whether it is a stored study with users' rules whose files were not given, so that nothing can be asked of these."""
        return not all(map(is_loadable, self.own_rules.values()))

    @property
    def rule_sources(self) -> dict[str, str | None]:
        """Name → SHA-256 of the file, of :attr:`own_rules`."""
        return {name: source.digest for name, source in self.own_rules.items()}

    def initial_parameters(self, values: Mapping[str, Any] | None = None) -> dict[str, NDArray[np.float64]]:
        """Raw parameters, one value per label each: the experiment's own, with those given in their place.

        Args:
            values: raw or human-readable name → number or one per label; groups as nested tables or dotted names.

        Raises:
            ParameterError: a name, shape or value is wrong.
        """
        given = replaced(self.layout, dict(self.parameters), flat_table(values or {}))
        for pool in self.pools:
            for name in pool.ignored:
                given.pop(name, None)
        return to_raw(self.layout, given)

    def human_parameters(self, raw: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
        """The human-readable form of a complete raw set; parameters that do not matter here are left out."""
        return to_human(self.active_parameters, raw)

    def load_prices(self, *, given_series: Collection[str] = ()) -> Prices:
        """The prices that ``data`` names, filled and put on bars as it says.

        Args:
            given_series: keys of ``series`` whose values are in memory, so that their files need not be there.

        Raises:
            PriceError: as :func:`quantsim.prices.load_prices`; or a file of ``series`` is not there; or the experiment is a
                stored one, whose prices were in memory.
        """
        from quantsim.config.price_source import load

        return load(self, given_series)

    def prices_note(self, prices: Prices) -> str | None:
        """What a reader should know of prices that ``data`` does not name, such as those in memory; None for those it does."""
        from quantsim.config.price_source import note

        return note(self.data, prices)

    def recorded(self, prices: Prices) -> Self:
        """The experiment as a run on these prices stores it: where ``data`` does not name them, its source is ``"memory"``.

        So whatever opens the run again asks for the prices, and loads no others. The identity is the same.
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
        """Builds an experiment from nested tables, as a study file holds them.

        Args:
            values: the tables.
            source: where they are from, for messages.
            base: the folder that relative paths in them count from; unless given, the working directory.
            own_rules: names of users' rules that stay what they are, such as :attr:`own_rules` of the experiment that the
                tables were made from. Files of others are read and run.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{source} is not valid: it must be a table of tables, not {type(values).__name__}")
        check_depth(values, source)
        values = absolute_paths(values, Path.cwd() if base is None else base, own_rules or ())
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
        """Opens a stored configuration; nothing that it names is run.

        Where it names rules of users' files, whatever needs these rules raises ConfigError, unless their files are given.

        Args:
            config: as stored.
            rule_sources: name → SHA-256 of its file, of the users' rules in it, as stored with it.
            rule_files: that may be run; their hashes must be stored ones.
            source: what was stored, for messages.

        Raises:
            ConfigError: it is not valid, or a file is not the one that was stored.
        """
        names = stored_names(config, rule_sources, rule_files, source)
        return cls.from_dict(config, source, own_rules=names)

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Self:
        """Reads a bundled study by its name, a study file (TOML), or a fingerprint (JSON).

        See :func:`~quantsim.config.locate.find_study`. Relative paths in the file count from the folder that it lies in.

        Args:
            name_or_path: of the study.
            overrides: as for :meth:`override`. A fingerprint is checked with them applied.
        """
        path = find_study(name_or_path)
        if path.suffix.lower() == ".json":
            from quantsim.config.fingerprint import read_fingerprint, translate

            translation = translate(read_fingerprint(path), str(path))
            translation.warn()
            return cls.from_translation(translation, assigned({"name": path.stem, **translation.tables}, overrides))
        values = {"name": path.stem, **read_toml(path, "study file")}
        experiment = cls.from_dict(values, str(path), base=path.parent.resolve())
        assignments = list(overrides)
        return experiment.override(assignments) if assignments else experiment

    @classmethod
    def from_fingerprint(cls, fingerprint: Mapping[str, Any], **tables: Any) -> Self:
        """Builds an experiment from a configuration dictionary of the published implementation; docs/fingerprints.md.

        Args:
            fingerprint: its keys and values; what it leaves out takes that implementation's defaults.
            **tables: tables that replace or extend the translated ones, e.g. ``data={"source": "prices/"}``.

        Raises:
            ConfigError: a key is unknown, or a value cannot be translated or is not valid.

        Warns:
            FingerprintWarning: keys mean something else here, or nothing; once, naming all of them.
        """
        from quantsim.config.fingerprint import translate

        translation = translate(fingerprint)
        translation.warn()
        return cls.from_translation(
            translation, merged({"name": str(fingerprint["rule"]), **translation.tables}, tables)
        )

    @classmethod
    def from_translation(cls, translation: Translation, tables: Mapping[str, Any]) -> Self:
        """Builds an experiment from the tables that a fingerprint was translated to, with a user's changes."""
        try:
            return cls.from_dict(tables, translation.source)
        except ConfigError as error:
            raise translation.explained(error) from error

    def override(self, assignments: Iterable[str]) -> Self:
        """Returns a copy with ``section.key=value`` assignments applied, each value written as in TOML.

        Example:
            >>> experiment.override(["fees.swap_fee=0.003", "sgd.steps=100"])  # doctest: +SKIP
        """
        values = assigned(self.model_dump(mode="json"), assignments)
        return self.from_dict(values, "the study with its overrides", own_rules=self.own_rules)
