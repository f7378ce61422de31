"""The settings of the configuration file: their names, types and defaults, and where the file is.

schemas/config.schema.json lists the settings. Each setting is also an environment variable and an option.
"""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.spec.shape import schema_path

CONFIG_SCHEMA = "config.schema.json"
VARIABLE = "VMSS_RECONCILER_CONFIG"
CONTEXT_VARIABLE = "VMSS_RECONCILER_CONTEXT"
_PREFIX = "VMSS_RECONCILER_"

Value = str | bool | list[str]


@functools.cache
def settings() -> Mapping[str, Mapping[str, Any]]:
    """The schema of each setting, by name."""
    schema = json.loads(schema_path(CONFIG_SCHEMA).read_text(encoding="utf-8"))
    found: Mapping[str, Mapping[str, Any]] = schema["$defs"]["settings"]["properties"]
    return found


def setting_of(variable: str) -> str:
    """The name of the setting that this environment variable overrides.

    >>> setting_of("VMSS_RECONCILER_ARM_ENDPOINT")
    'armEndpoint'
    """
    first, *others = variable.removeprefix(_PREFIX).lower().split("_")
    return first + "".join(map(str.capitalize, others))


def variable_of(setting: str) -> str:
    """The environment variable that overrides this setting.

    >>> variable_of("armEndpoint")
    'VMSS_RECONCILER_ARM_ENDPOINT'
    """
    return _PREFIX + re.sub(r"(?=[A-Z])", "_", setting).upper()


def config_path(named: str, environment: Mapping[str, str]) -> Path:
    """The path of the file: the named one, or else the one in the user's configuration directory."""
    if named:
        return Path(named).expanduser()
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "vmss-reconciler" / "config.yaml"
