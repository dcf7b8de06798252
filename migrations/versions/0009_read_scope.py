"""The scope `read`: keys that could read documents until now keep it."""

from alembic import op

revision = "0009"
down_revision = "0008"
oldest_software = "0.2.0"
works_on = ("api_keys",)

KEYS = """
update api_keys set scopes = array_append(scopes, 'read')
where scopes && array['query', 'ingest'] and not 'read' = any(scopes)
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql("set local role kyujang_operator")
    connection.exec_driver_sql(KEYS)
    connection.exec_driver_sql("reset role")
