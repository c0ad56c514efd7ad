"""What Alembic runs its steps in: the connection, and the transaction, of who asks for them."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
