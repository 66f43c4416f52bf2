"""The configuration: `ringforge.toml`, overridden by the environment, read into msgspec structs.

    config = load_config(None, os.environ)        # everything that core knows
    plugins = load_plugins(config, PluginManager())  # the plugins it names, each with its settings

Both report all that is wrong at once, in one `ConfigError` that names file (or variable), table and key.
"""

from ringforge_core.config.load import Override, load_config
from ringforge_core.config.plugins import LoadedAdapter, LoadedCapability, Plugins, load_plugins
from ringforge_core.config.settings import (
    CapabilitiesSettings,
    Config,
    EventBusSettings,
    HubSettings,
    LogSettings,
    PluginTable,
)

__all__ = [
    "CapabilitiesSettings",
    "Config",
    "EventBusSettings",
    "HubSettings",
    "LoadedAdapter",
    "LoadedCapability",
    "LogSettings",
    "Override",
    "PluginTable",
    "Plugins",
    "load_config",
    "load_plugins",
]
