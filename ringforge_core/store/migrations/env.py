"""Alembic's entry: run the migrations on the connection that `ringforge_core.store.migrate` hands over."""

from alembic import context

from ringforge_core.plugin.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    target_metadata=metadata,
)
context.run_migrations()
