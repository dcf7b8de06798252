"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
# What else a revision says of itself: CONTRIBUTING.md, "a revision of the schema".
oldest_software = ""


def upgrade() -> None:
    op.execute("""
    """)
