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


@pytest.mark.parametrize("key", ["", "a", "가나다", "x" * 23])
def test_a_short_operator_s_key_is_refused_with_what_to_do(key):
    with pytest.raises(NotConfigured, match=r"fewer than 24 characters.*openssl rand -hex 24"):
        Settings(admin_key=key)
    assert Settings(admin_key="x" * 24).admin_key is not None
    assert Settings().admin_key is None


def test_origins_are_listed_with_commas():
    listed = Settings(cors_origins="https://App.example, http://localhost:3000,,tauri://localhost")
    assert listed.allowed_origins == {"https://app.example", "http://localhost:3000", "tauri://localhost"}
    assert Settings().allowed_origins == frozenset()


@pytest.mark.parametrize(
    "listed",
    ["*", "app.example", "https://", "https://app.example/", "https://*.example", "https://a b", "https://u@a"],
)
def test_what_is_no_origin_is_refused(listed):
    with pytest.raises(NotConfigured, match=r"KYUJANG_CORS_ORIGINS: .* is not an origin"):
        Settings(cors_origins=f"https://app.example,{listed}")
