"""What is wrong with a configuration: collected first, then told all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ringforge_core.config.tree import KeyPath, Origins
from ringforge_core.errors import ConfigError, RingforgeError

FIX = "Compare with ringforge.example.toml, then run `ringforge check-config`."


class Problems:
    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._errors: list[RingforgeError] = []

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, path: KeyPath, message: str) -> None:
        """Note what is wrong with the value at `path`."""
        self._note(path, f"[{'.'.join(path[:-1])}] {path[-1]}: {message}" if len(path) > 1 else f"{path[0]}: {message}")

    def add_table(self, table: KeyPath, message: str) -> None:
        """Note what is wrong with a table as a whole."""
        self._note(table, f"[{'.'.join(table)}] {message}")

    def add_unknown(self, path: KeyPath, known: Iterable[str]) -> None:
        """Note a key that does not exist, with the nearest one that does."""
        key, names = path[-1], sorted(known)
        nearest = difflib.get_close_matches(key, names, n=1)
        if len(path) > 1:
            hint = f'did you mean "{nearest[0]}"?' if nearest else f"known keys: {', '.join(names) or 'none'}"
            self._note(path, f'[{".".join(path[:-1])}] has no key "{key}"; {hint}')
        else:
            hint = f"did you mean [{nearest[0]}]?" if nearest else f"known tables: {', '.join(names)}"
            self._note(path, f"there is no table [{key}]; {hint}")

    def add_error(self, error: RingforgeError) -> None:
        self._errors.append(error)

    def raise_any(self) -> None:
        """Raise the only problem as it is, several as one `ConfigError` with a line each."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            lines = [str(error) for error in self._errors]
            fixes = dict.fromkeys(error.fix for error in self._errors)
            raise ConfigError("\n".join(lines), fix="\n".join(fixes), problems=lines) from self._errors[0]

    def _note(self, path: KeyPath, message: str) -> None:
        where = self._origins.near(path) or self._origins.file or "configuration"
        self._errors.append(ConfigError(f"{where}: {message}", fix=FIX, problems=[f"{where}: {message}"]))
