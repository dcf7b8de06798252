from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from app.errors import NotConfigured
from app.settings import Settings
from app.settings.addresses import SERVICE_ROLE


def test_the_engine_takes_only_some_ranks():
    assert Settings(max_lora_rank=64).max_lora_rank == 64
    with pytest.raises(NotConfigured, match=r"KYUJANG_MAX_LORA_RANK is one of 1, 8, 16"):
        Settings(max_lora_rank=24)


def test_the_service_s_role_gets_a_password_of_its_own():
    settings = Settings(database_url="postgresql://owner:secret@db:5433/kyujang?sslmode=require")
    service, owner = urlsplit(settings.service_url), urlsplit(settings.owner_url)
    assert (service.username, service.hostname, service.port) == (SERVICE_ROLE, "db", 5433)
    assert (service.path, service.query) == (owner.path, owner.query)
    assert service.password not in ("secret", None)
    other = Settings(database_url="postgresql://owner:other@db/kyujang")
    assert urlsplit(other.service_url).password != service.password


def test_a_service_url_of_one_s_own_is_taken_as_it_is():
    url = "postgresql://app:word@db/kyujang"
    settings = Settings(database_url="postgresql://owner:secret@db/kyujang", service_database_url=url)
    assert settings.service_url == url
