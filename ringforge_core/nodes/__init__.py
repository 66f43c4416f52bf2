"""The hubs that share one database, and which of them are gone.

tables.py      a row for each hub
registry.py    beats for this hub, and watches the others'
listing.py     what `ringforge nodes` shows
"""

from ringforge_core.nodes.listing import Node, list_nodes
from ringforge_core.nodes.registry import NodeRegistry

__all__ = ["Node", "NodeRegistry", "list_nodes"]
