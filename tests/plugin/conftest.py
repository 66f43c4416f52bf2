from throwaway_plugins import plugin_directory

__all__ = ["plugin_directory"]
