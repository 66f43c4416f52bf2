"""What people may do in their tenant, for capabilities that give them pages: the hub's side of `plugin.Administration`.

The verbs are those of the REST API and call the same functions; besides, somebody can watch a fleet and speak in it.
"""

from ringforge_core.administration.desk import Desk

__all__ = ["Desk"]
