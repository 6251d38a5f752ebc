"""Alembic's entry: runs the steps on the connection, and in the transaction, that `migrate` hands over."""

from alembic import context

from candela_processes.jobs.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
