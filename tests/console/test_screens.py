"""Each screen in a real browser: in both languages, for everyone, and what it does."""

from __future__ import annotations

import gzip
import json
from typing import get_args

import pytest

from app.adapters import registry
from app.settings.serving import LimitName
from app.storage.blobs import Blob
from app.storage.tenants import tenant_by_slug
from app.up.console import BUILT, FOLDER
from tests.conftest import ADMIN_KEY, NewTenant, ingest_text
from tests.console.keys import key_of

SCOPES = ("query", "read", "ingest", "adapters")
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
# As src/words/ has them.
TENANTS = {
    "": ("Ask", "질문"), "/documents": ("Documents", "문서"), "/documents/lamp": ("lamp", "lamp"),
    "/map": ("Map", "지도"),
    "/collections": ("Collections", "컬렉션"), "/prompts": ("Prompts", "프롬프트"), "/prompts/desk": ("desk", "desk"),
    "/adapters": ("Adapters", "어댑터"), "/evaluations": ("Evaluations", "평가"), "/usage": ("Usage", "사용량"),
    "/webhooks": ("Webhooks", "웹훅"), "/audit": ("Audit and limits", "감사와 한도"),
}  # fmt: skip
OPERATORS = {
    "/tenants": ("Tenants", "테넌트"), "/tenants/screens": ("screens", "screens"), "/engines": ("Engines", "엔진"),
    "/usage": ("Usage", "사용량"), "/audit": ("Audit and limits", "감사와 한도"),
}  # fmt: skip


@pytest.fixture(scope="module")
async def tenant(new_tenant: NewTenant, services):
    """With something on every screen."""
    client = await new_tenant("screens", SCOPES)
    await ingest_text(client, "The lamp of the pier is lit at dusk. 부두의 등대는 해가 지면 켠다.", id="lamp")
    for persona in ("A keeper.", "A patient keeper."):
        await client.put("/prompts/desk", json={"persona": persona})
    number = (await tenant_by_slug(services.database, "screens")).number
    await registry.create_version(services.database, number, "tone", Blob(f"{number}/none", 1, b"tone"))
    await registry.set_status(services.database, number, "tone", 1, "ready")
    return client


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_every_screen_opens_and_nothing_serious_bars_anyone(visit, tenant, language):
    """Light in English, dark in Korean; axe-core looks."""
    scheme = {"en": "light", "ko": "dark"}[language]
    for key, screens in ((key_of(tenant), TENANTS), (ADMIN_KEY, OPERATORS)):
        async with visit(language, key, color_scheme=scheme) as page:
            for path, names in screens.items():
                await page.goto(f"{page.url.partition('/console')[0]}/console{path}")
                heading = page.locator("h1", has_text=names[language == "ko"]).first
                await heading.wait_for(state="attached" if path == "" else "visible")
                await page.wait_for_load_state("networkidle")
                await page.evaluate(AXE.read_text())
                found = await page.evaluate("axe.run().then((found) => found.violations)")
                serious = [each for each in found if each["impact"] in ("serious", "critical")]
                assert serious == [], f"{path}: {json.dumps(serious, indent=1)[:3000]}"
                assert await page.evaluate("document.documentElement.scrollWidth") <= 360


def test_little_is_transferred():
    files = [path for path in (BUILT / "assets").iterdir() if path.suffix in (".js", ".css")]
    packed = [path.with_name(f"{path.name}.gz").read_bytes() for path in files]
    assert [gzip.decompress(each) for each in packed] == [path.read_bytes() for path in files]
    assert all(path.with_name(f"{path.name}.br").stat().st_size for path in files)
    assert 10_000 < (BUILT / "index.html").stat().st_size + sum(map(len, packed)) < 300_000


async def test_a_first_visit_leads_to_an_answer(visit, new_tenant: NewTenant):
    async with visit("ko", key_of(await new_tenant())) as page:
        await page.get_by_role("button", name="예제 두 편 넣기").click()
        await page.get_by_role("button", name="카드를 잃어버리면 얼마인가요?").click()
        await page.locator("q").first.wait_for()
        assert "3,000원" in await page.locator("q").first.inner_text()
        await page.get_by_text("이 답이 나온 까닭").click()
        assert await page.locator("tbody tr td").first.inner_text() == "사용"


async def test_a_prompt_is_compared_tried_activated_and_rolled_back(visit, tenant):
    async with visit(key=key_of(tenant), path="/prompts/desk") as page:
        await page.locator("ins").wait_for()
        assert (await page.locator("del").inner_text()).strip() == "- A keeper."
        assert (await page.locator("ins").inner_text()).strip() == "+ A patient keeper."
        await page.get_by_label("Question 1").fill("When is the lamp of the pier lit?")
        for number in (2, 3):
            await page.get_by_label(f"Question {number}").fill("")
        await page.get_by_role("button", name="Run").click()
        await page.locator("q").wait_for()
        await page.get_by_role("button", name="Activate").click()
        await page.get_by_role("button", name="Roll back to version 1").click()
        await page.get_by_role("button", name="Roll back").wait_for(state="detached")
        summary = (await tenant.get("/prompts")).json()["data"][0]
        assert (summary["active"], summary["default"]) == (1, True)
        await page.get_by_label("Persona").fill("A third keeper.")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("option", name="3").first.wait_for(state="attached")
    assert (await tenant.get("/prompts/desk?version=3")).json()["persona"] == "A third keeper."


async def test_a_document_is_edited_and_found_by_name_and_collection(visit, new_tenant: NewTenant):
    client = await new_tenant()
    for name in ("ferry", "train"):
        await ingest_text(client, f"The {name} leaves at seven.", id=name)
    async with visit(key=key_of(client), path="/collections") as page:
        await page.get_by_label("Id").fill("boats")
        await page.get_by_role("button", name="Create").click()
        await page.get_by_role("button", name="boats").wait_for()
        await page.goto(f"{page.url.rpartition('/')[0]}/documents/ferry")
        await page.get_by_role("button", name="Edit").click()
        await page.get_by_role("option", name="boats").wait_for(state="attached")
        await page.get_by_label("Collection").select_option("boats")
        await page.get_by_label("Metadata (JSON)").fill('{"line": 4')
        assert await page.get_by_role("button", name="Save").is_disabled()
        await page.get_by_label("Metadata (JSON)").fill('{"line": 4}')
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("button", name="Save").wait_for(state="detached")
        await page.get_by_role("link", name="Documents").click()
        await page.locator(".row").nth(1).wait_for()
        await page.get_by_label("Search by title, id or source").fill("RAI")
        await page.locator(".row", has_text="ferry").wait_for(state="detached")
        assert await page.locator(".row .name").all_inner_texts() == ["train"]
        await page.get_by_label("Search by title, id or source").fill("")
        await page.get_by_label("Collection").select_option("boats")
        await page.locator(".row", has_text="train").wait_for(state="detached")
        await page.locator(".row", has_text="ferry").wait_for()
    document = (await client.get("/documents/ferry")).json()
    assert (document["metadata"], document["collection"]) == ({"line": 4}, "boats")


async def test_of_a_long_list_only_what_is_in_sight_is_drawn(visit, new_tenant: NewTenant):
    """100,000 documents in two pages, made in the browser: the server's part is not tried here."""
    client = await new_tenant()
    await ingest_text(client, "One of many.", id="one")
    one = json.dumps((await client.get("/documents/one")).json())
    many = """(one) => { const real = fetch; window.fetch = (url, options) => {
        if (!String(url).includes("documents?limit=200")) return real(url, options);
        const first = Number(new URL(url).searchParams.get("cursor") ?? 0);
        const named = (_, at) => ({ ...JSON.parse(one), id: String(first + at), title: null });
        const data = Array.from({ length: 50000 }, named);
        const next_cursor = first === 0 ? "50000" : null;
        return Promise.resolve({ ok: true, json: () => Promise.resolve({ data, next_cursor }) });
    }; }"""
    async with visit(key=key_of(client)) as page:
        await page.evaluate(many, one)
        await page.get_by_role("link", name="Documents").click()
        await page.locator(".row").first.wait_for()
        box = page.locator("ul.documents")
        for last in ("50004", "99999"):
            await box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
            await page.locator(".row", has_text=last).first.wait_for()
        assert await page.locator(".row").count() < 60


async def test_an_adapter_is_activated_what_is_refused_says_why_and_a_webhook_is_made_and_deleted(visit, tenant):
    async with visit(key=key_of(tenant), path="/adapters") as page:
        await page.get_by_role("button", name="Activate").click()
        await page.get_by_role("button", name="Answer by the base model").click()
        await page.get_by_role("button", name="Activate").wait_for()
        train = page.locator("form", has_text="Train")
        await train.get_by_label("Name").fill("tone")
        rows = [{"instruction": f"Say {number}.", "output": "Aye."} for number in range(10)]
        await train.get_by_label("Rows").fill("\n".join(map(json.dumps, rows)))
        await train.get_by_role("button", name="Train").click()
        assert "KYUJANG_ENGINE=none" in await train.get_by_role("alert").inner_text()
        await page.get_by_role("link", name="Webhooks").click()
        await page.get_by_label("Address").fill("https://hooks.example/told")
        await page.get_by_label("limit.reached").uncheck()
        await page.get_by_role("button", name="Create").click()
        assert (await page.locator("code.secret").inner_text()).startswith("whsec_")
        made = (await tenant.get("/webhooks")).json()["data"]
        assert [(each["url"], each["events"]) for each in made] == [
            ("https://hooks.example/told", ["job.ended", "document.failed"])
        ]
        await page.get_by_text("Deliveries of the last 7 days").click()
        await page.get_by_role("button", name="Delete").click()
        await page.get_by_role("button", name="Yes, delete").click()
        await page.get_by_text("There is no webhook yet.").wait_for()


async def test_a_training_draws_its_loss_though_its_events_break_off(visit, tenant):
    """There is no engine here: the job is made up."""
    job = {"id": "job_1", "status": "running", "documents": [], "result": None, "error": None}
    points = [{"step": step, "loss": 3 / step} for step in range(1, 9)] + [{"step": 8, "eval_loss": 1.0}]
    progress = {"step": 8, "steps": 8, "loss": 0.375, "curve": points}
    done = {**job, "status": "succeeded", "progress": progress}
    async with visit(key=key_of(tenant), path="/adapters") as page:
        await page.route("**/tune", lambda route: route.fulfill(status=202, json={**job, "progress": None}))
        streams = [
            f"event: {name}\nid: 1\ndata: {json.dumps(told)}\n\n"
            for name, told in (("done", done), ("progress", {**job, "progress": None}))
        ]
        await page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=streams.pop()))
        train = page.locator("form", has_text="Train")
        await train.get_by_label("Name").fill("tone")
        await train.get_by_label("Rows").fill('{"instruction": "Say", "output": "Aye."}')
        await train.get_by_role("button", name="Train").click()
        await train.locator("svg.curve").wait_for()
        assert len((await train.locator("polyline.loss").get_attribute("points")).split()) == 8
        assert "8/8" in await train.get_by_role("status").inner_text()


async def test_the_operator_makes_tenants_keys_and_limits(visit, anonymous):
    operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with visit(key=ADMIN_KEY) as page:
        await page.get_by_label("Id").fill("harbour")
        await page.get_by_role("button", name="Create").click()
        await page.get_by_role("link", name="harbour").click()
        await page.get_by_label("documents", exact=True).fill("7")
        limits = page.locator("form", has=page.get_by_role("heading", name="Limits"))
        assert await limits.locator("label").all_inner_texts() == list(get_args(LimitName))
        await page.get_by_role("button", name="Save").click()
        await page.get_by_text("Saved.").wait_for()
        part = page.get_by_label("What the key sees")
        await part.fill('{"key": ')
        assert await page.get_by_role("button", name="Create").is_disabled()
        await part.fill('{"key": "collection", "op": "eq", "value": "boats"}')
        await page.get_by_role("button", name="Create").click()
        key = await page.locator("code.secret").inner_text()
        bound = {"Authorization": f"Bearer {key}"}
        assert (await anonymous.get("/whoami", headers=bound)).json()["only"]["value"] == "boats"
        await page.get_by_text("Change what it sees").click()
        of_key = page.get_by_role("region", name="Keys")
        await of_key.get_by_label("What the key sees").fill("")
        await of_key.get_by_role("button", name="Save").click()
        await page.get_by_text("all documents", exact=True).wait_for()
        assert (await anonymous.get("/documents", headers={"Authorization": f"Bearer {key}"})).status_code == 200
        await page.get_by_role("button", name="Revoke").click()
        await page.get_by_role("button", name="Yes, delete").click()
        await page.get_by_text("revoked").wait_for()
        await page.get_by_label("delegate").check()
        await page.get_by_label("List of a document").last.fill("metadata.teams")
        await page.get_by_role("button", name="Create").click()
        await page.get_by_text("for groups in metadata.teams").wait_for()
    assert (await anonymous.get("/documents", headers={"Authorization": f"Bearer {key}"})).status_code == 401
    tenants = (await anonymous.get("/tenants", headers=operator)).json()["data"]
    assert {each["id"]: each["limits"] for each in tenants}["harbour"] == {"documents": 7}


async def test_a_key_that_acts_for_groups_shows_what_they_see(visit, tenant, anonymous):
    operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
    await ingest_text(tenant, "The crane is repaired in May.", id="crane", metadata={"groups": ["정비"]})
    body = {"scopes": ["query", "read", "delegate"], "groups": "metadata.groups"}
    key = (await anonymous.post("/tenants/screens/keys", json=body, headers=operator)).json()["key"]
    async with visit(key=key, path="/documents") as page:
        named = page.get_by_label("This key acts for groups")
        await named.fill("정비, keepers")
        await page.get_by_role("button", name="Ask for them").click()
        await page.get_by_role("link", name="crane").wait_for()
        assert await page.get_by_role("link", name="lamp").count() == 0
        await page.reload()
        await page.get_by_role("link", name="crane").wait_for()
        await page.get_by_role("link", name="Ask", exact=True).click()
        await page.get_by_label("Question", exact=True).fill("When is the crane repaired?")
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text("The crane is repaired in May.").first.wait_for()
        await page.get_by_text("As curl").click()
        assert "Kyujang-Groups: %EC%A0%95%EB%B9%84,keepers" in await page.locator("pre").inner_text()
