"""JSON values as YAML."""

from typing import Any

import yaml

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Writes a repeated value in full each time, instead of as an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def yaml_text(value: object) -> str:
    """The value as YAML in block style. Keys keep their order, and each text stays on one line.

    >>> print(yaml_text({"scaleSets": [{"name": "web", "status": None}]}), end="")
    scaleSets:
    - name: web
      status: null
    """
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    return text
