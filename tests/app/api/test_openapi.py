"""schemathesis over the OpenAPI document: no request that it can think of gets a 500 or an undocumented shape."""

from __future__ import annotations

import math

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as budget
from schemathesis import GenerationMode, checks

from app.main import create_app
from tests.app.api.paths import paths
from tests.conftest import ADMIN_KEY

LOCAL = {"Host": "localhost"}
OPERATIONS = [(path, method, operation) for path, methods in paths().items() for method, operation in methods.items()]
# An operation without a body and a query has nothing that could be wrong, its path apart.
REQUESTS = [(path, method, GenerationMode.POSITIVE) for path, method, _ in OPERATIONS] + [
    (path, method, GenerationMode.NEGATIVE)
    for path, method, operation in OPERATIONS
    if "requestBody" in operation or any(each["in"] == "query" for each in operation.get("parameters", []))
]


@pytest.fixture(scope="module")
def schema(settings):
    """schemathesis runs the application itself, in a thread and loop of its own."""
    open_to_all = settings.model_copy(update={"auth": "off"})
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(open_to_all), headers=LOCAL)


@pytest.mark.parametrize(("path", "method", "mode"), REQUESTS)
def test_no_request_breaks_the_service(pytestconfig, schema, path, method, mode):
    headers = LOCAL | ({"Authorization": f"Bearer {ADMIN_KEY}"} if path.startswith(("/tenants", "/engines")) else {})

    # No shrinking: the failing request is short enough to read.
    @budget(
        max_examples=math.ceil(pytestconfig.getoption("--requests") / len(REQUESTS)),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def run(case):
        case.query.pop("wait", None)  # nothing works off the job here
        answer = case.call_and_validate(
            headers=headers,
            checks=[
                checks.not_a_server_error,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )
        assert answer.status_code != 421

    run()
