"""python -m ingest add against a listening service."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest

from ingest.__main__ import main
from ingest.sync import over_http
from tests.conftest import ingest_text
from tests.ingest.made.holding import packed
from tests.ingest.sync.adding import FILES, busy, interrupted, stored, worker, write

IDS = ["returns.md", "규정/연차 휴가.txt"]


@pytest.fixture
async def working(services):
    async with worker(services):
        yield


@pytest.mark.usefixtures("working")
async def test_a_folder_goes_in_once_and_follows_its_files(command, shelf, faults):
    client, _, add_ = await command()
    status, printed, complaints = await add_(shelf)
    assert (status, printed, complaints) == (0, "3 added, 0 replaced, 0 unchanged, 0 failed, 0 deleted.\n", "")
    there = await stored(client)
    assert sorted(there)[:2] == IDS
    assert len(there) == 3
    assert {each["metadata"]["folder"] for each in there.values()} == {"shelf"}
    assert there["규정/연차 휴가.txt"]["source"] == "연차 휴가.txt"
    found = (await client.post("/search", json={"input": "휴가는 며칠인가?", "top_k": 1})).json()["contexts"]
    assert found[0]["document_id"] == "규정/연차 휴가.txt"

    posts = faults.posts
    assert (await add_(shelf))[:2] == (0, "0 added, 0 replaced, 3 unchanged, 0 failed, 0 deleted.\n")
    assert faults.posts == posts
    assert await stored(client) == there

    write(shelf, {"규정/연차 휴가.txt": "연차 휴가는 20일이다.", "new.txt": "New."})
    (shelf / "returns.md").unlink()
    assert (await add_(shelf))[:2] == (0, "1 added, 1 replaced, 1 unchanged, 0 failed, 0 deleted.\n")
    chunks = (await client.get("/documents/규정/연차 휴가.txt/chunks")).json()["data"]
    assert [each["text"] for each in chunks] == ["연차 휴가는 20일이다."]
    assert "returns.md" in await stored(client)
    assert (await add_(shelf, "--delete"))[1] == "0 added, 0 replaced, 3 unchanged, 0 failed, 1 deleted.\n"
    assert "returns.md" not in await stored(client)


@pytest.mark.usefixtures("working")
async def test_the_summary_counts_what_texts_lack(command, tmp_path):
    _, _, add_ = await command()
    marked = f"e{chr(0x316) * 40}"
    write(
        tmp_path / "marked",
        {"en.txt": f"Marked {marked} text.", "ko.txt": f"표시한 {marked} 글.", "plain.txt": "Plain."},
    )
    assert (await add_(tmp_path / "marked"))[1].splitlines() == [
        "3 added, 0 replaced, 0 unchanged, 0 failed, 0 deleted.",
        "With warnings: 2 (truncated 2); GET /documents?warning=CODE lists them.",
    ]


@pytest.mark.usefixtures("working")
async def test_what_an_archive_holds_is_no_file_of_the_folder(command, shelf):
    client, _, add_ = await command()
    (shelf / "papers.zip").write_bytes(
        packed({"가.txt": "하나.".encode(), "b.docx": packed({"word/document.xml": b"<"})})
    )
    status, printed, complaints = await add_(shelf)
    assert (status, printed) == (1, "4 added, 0 replaced, 0 unchanged, 1 failed, 0 deleted.\n")
    assert "papers.zip/b.docx" in complaints
    there = await stored(client)
    assert (await add_(shelf, "--delete"))[1] == "0 added, 0 replaced, 4 unchanged, 0 failed, 0 deleted.\n"
    assert await stored(client) == there
    (shelf / "papers.zip").unlink()
    assert (await add_(shelf, "--delete"))[1] == "0 added, 0 replaced, 3 unchanged, 0 failed, 1 deleted.\n"
    assert not any("/" in each and each.startswith("papers.zip") for each in await stored(client))


@pytest.mark.usefixtures("working")
async def test_a_folder_goes_into_a_collection_and_moves_to_another(command, shelf):
    client, _, add_ = await command()
    assert (await client.post("/collections", json={"id": "인사"})).status_code == 201
    assert (await add_(shelf, "--collection", "no-such"))[0] == 1
    assert (await add_(shelf, "--collection", "인사"))[0] == 0
    assert {each["collection"] for each in (await stored(client)).values()} == {"인사"}
    assert "3 unchanged" in (await add_(shelf))[1]
    assert "3 replaced" in (await add_(shelf, "--collection", "default"))[1]
    assert {each["collection"] for each in (await stored(client)).values()} == {"default"}


@pytest.mark.usefixtures("working")
async def test_a_name_from_another_system_is_the_same_document(command, shelf):
    client, _, add_ = await command()
    await add_(shelf)
    for path in sorted(shelf.rglob("*"), reverse=True):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    assert "3 unchanged" in (await add_(shelf, "--delete"))[1]
    assert len(await stored(client)) == 3


@pytest.mark.usefixtures("working")
async def test_a_path_is_an_id_whatever_is_in_it(command, tmp_path):
    client, _, add_ = await command()
    names = ["a+b&c#d?.txt", "50% [old].md", "mail.eml/text", "a/chunks", '%2F/x\\y "z".txt']
    write(tmp_path / "odd", {name: f"This is {name}." for name in names})
    assert (await add_(tmp_path / "odd"))[0] == 0
    assert sorted(await stored(client)) == sorted(names)
    assert "5 unchanged" in (await add_(tmp_path / "odd"))[1]
    for name in names[1:]:
        (tmp_path / "odd" / name).unlink()
    assert "1 unchanged, 0 failed, 4 deleted" in (await add_(tmp_path / "odd", "--delete"))[1]
    assert list(await stored(client)) == names[:1]


@pytest.mark.usefixtures("working")
async def test_a_document_keeps_the_id_that_0_1_gave_it(command, shelf):
    client, _, add_ = await command()
    path, earlier = "규정/출장 (국내).txt", "규정/출장 _국내_.txt:85f4e35092158053"
    await ingest_text(client, FILES[path], id=earlier, source="출장 (국내).txt", metadata={"folder": "shelf"})
    assert (await add_(shelf, "--delete"))[1] == "2 added, 0 replaced, 1 unchanged, 0 failed, 0 deleted.\n"
    write(shelf, {path: "국내 출장은 이틀 전에 알린다."})
    assert (await add_(shelf, "--delete"))[1] == "0 added, 1 replaced, 2 unchanged, 0 failed, 0 deleted.\n"
    assert sorted(await stored(client)) == sorted([*IDS, earlier])
    assert "0 deleted" in (await add_(shelf, "--delete", "--exclude", "출장*"))[1]
    (shelf / path).unlink()
    assert "1 deleted" in (await add_(shelf, "--delete"))[1]
    assert sorted(await stored(client)) == IDS


@pytest.mark.usefixtures("working")
async def test_metadata_is_as_the_command_says(command, shelf):
    client, _, add_ = await command()
    await add_(shelf, "--metadata", '{"연도": 2026}', "--label", "서가", "--prefix", "in/")
    there = await stored(client)
    assert there["in/returns.md"]["metadata"] == {"연도": 2026, "folder": "서가"}
    status, printed, _ = await add_(shelf, "--metadata", '{"연도": 2027}', "--label", "서가", "--prefix", "in/")
    assert (status, "3 replaced" in printed) == (0, True)
    assert (await stored(client))["in/returns.md"]["metadata"]["연도"] == 2027
    for wrong in ("[1]", "{", '{"folder": "x"}', '{"a": "\\u0000"}'):
        with pytest.raises(SystemExit):
            await add_(shelf, "--metadata", wrong)


@pytest.mark.usefixtures("working")
async def test_documents_of_others_are_left_alone(command, shelf, tmp_path):
    client, _, add_ = await command()
    await ingest_text(client, "Mine.", id="returns.md")
    await ingest_text(client, FILES["규정/연차 휴가.txt"], id="규정/연차 휴가.txt")
    write(tmp_path / "other", {"a.txt": "Of another folder.", "규정/출장 (국내).txt": "다른 글."})
    assert (await add_(tmp_path / "other"))[0] == 0
    before = await stored(client)
    status, printed, complaints = await add_(shelf, "--delete")
    # The same bytes overwrite nothing.
    assert (status, printed) == (1, "0 added, 0 replaced, 1 unchanged, 2 failed, 0 deleted.\n")
    assert complaints.startswith("id_taken (2)\n")
    assert f"  {shelf}/returns.md: " in complaints
    assert "--prefix" in complaints
    assert await stored(client) == before
    assert (await add_(shelf, "--prefix", "mine/"))[0] == 0
    assert len(await stored(client)) == 7


@pytest.mark.usefixtures("working")
async def test_nothing_is_deleted_on_a_guess(command, shelf, tmp_path):
    client, _, add_ = await command()
    await add_(shelf)
    there = await stored(client)
    (tmp_path / "b" / "shelf").mkdir(parents=True)
    write(tmp_path / "c" / "shelf", {"something else.txt": "Else."})
    refusals = {
        (tmp_path / "b" / "shelf",): "no file",
        (tmp_path / "c" / "shelf",): "another folder",
        (shelf / "returns.md",): "folders",
    }
    for arguments, reason in refusals.items():
        status, _, complaints = await add_("--delete", *arguments)
        assert (status, reason in complaints) == (1, True), complaints
    assert await stored(client) == there
    assert "0 deleted" in (await add_(shelf, "--delete", "--exclude", "규정", "--include", "*.md"))[1]
    (shelf / "규정" / "연차 휴가.txt").unlink()
    status, printed, _ = await add_(shelf, "--delete", "--dry-run")
    assert printed.splitlines() == [
        "delete\t규정/연차 휴가.txt",
        "Nothing was done. It would be: 0 added, 0 replaced, 2 unchanged, 0 failed, 1 deleted.",
    ]
    assert await stored(client) == there


@pytest.mark.usefixtures("working")
async def test_a_dry_run_does_nothing(command, shelf):
    client, _, add_ = await command()
    status, printed, _ = await add_(shelf, "--dry-run", "--include", "*.md")
    assert (status, printed.splitlines()[0]) == (0, "add\treturns.md")
    assert await stored(client) == {}
    assert (await client.get("/jobs")).json()["data"] == []


@pytest.mark.usefixtures("working")
async def test_failures_are_told_by_reason_and_stop_nothing(command, shelf):
    client, _, add_ = await command()
    write(shelf, {"빈 글.txt": "", "empty.txt": " \n", "broken\x1b[2J.pdf": "%PDF-1.7\nno more"})
    with (shelf / "huge.bin").open("wb") as huge:
        huge.truncate(201 << 20)
    status, printed, complaints = await add_(shelf)
    assert (status, printed) == (1, "3 added, 0 replaced, 0 unchanged, 4 failed, 0 deleted.\n")
    lines = complaints.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["empty (2)", "corrupt (1)", "too_large (1)"]
    assert f"  {shelf}/빈 글.txt: " in complaints
    assert f"  {str(shelf / 'broken')!r}"[:-1] + "\\x1b[2J.pdf': " in complaints
    assert "KYUJANG_MAX_UPLOAD_MB" in complaints
    assert len(await stored(client)) == 3


async def test_busy_services_and_broken_connections_are_tried_again(services, command, shelf, faults, url):
    client, _, add_ = await command()

    async def accepted_then_broken(scope, receive, send):
        """The job is made, and the connection breaks in the middle of the answer."""

        async def lose(message):
            pass

        await faults.app(scope, receive, lose)
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"99")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})

    faults.next = [busy(429), busy(503), accepted_then_broken]
    async with worker(services):
        status, printed, _ = await add_(shelf, "--parallel", "1")
    assert (status, printed) == (0, "3 added, 0 replaced, 0 unchanged, 0 failed, 0 deleted.\n")
    assert len(await stored(client)) == 3
    faults.next = [busy(503)] * 4
    write(shelf, {"one.txt": "1", "two.txt": "2"})
    status, printed, complaints = await add_(shelf, "--parallel", "1", "--no-wait")
    faults.next = []
    assert status == 1
    assert "the same command again does the rest" in complaints


async def test_a_wrong_key_or_address_is_said_once(command, shelf, capsys, url):
    for arguments, reason in (
        (["--url", "http://127.0.0.1:9", "--key", "x"], "Nothing answers"),
        (["--url", url, "--key", "x"], "401"),
    ):
        assert await asyncio.to_thread(main, ["add", str(shelf), *arguments]) == 1
        assert reason in capsys.readouterr().err


async def test_interrupted_it_says_what_goes_on_and_does_the_rest_afterwards(services, command, shelf, url):
    client, key, add_ = await command()
    status, printed, complaints = await interrupted(client, str(shelf), "--url", url, "--key", key)
    assert status == 130
    assert "Accepted and not yet done: 3;" in printed
    assert "the same command again" in complaints
    write(shelf, {"later.txt": "Later."})
    async with worker(services):
        status, printed, _ = await add_(shelf)
    assert (status, printed) == (0, "4 added, 0 replaced, 0 unchanged, 0 failed, 0 deleted.\n")
    assert (await add_(shelf))[1] == "0 added, 0 replaced, 4 unchanged, 0 failed, 0 deleted.\n"
    assert len(await stored(client)) == 4


@pytest.mark.usefixtures("working")
async def test_more_files_than_are_listed_at_once(command, tmp_path, monkeypatch):
    """Several pages, several filters, more jobs than one by one."""
    monkeypatch.setattr(over_http, "PAGE", 3)
    monkeypatch.setattr(over_http, "IDS_AT_ONCE", 4)
    monkeypatch.setattr(over_http, "ASKED_ONE_BY_ONE", 2)
    client, _, add_ = await command()
    write(tmp_path / "many", {f"{n}/책 {n}.txt": f"Book {n}, 책 {n}." for n in range(25)})
    assert (await add_(tmp_path / "many"))[:2] == (0, "25 added, 0 replaced, 0 unchanged, 0 failed, 0 deleted.\n")
    assert (await add_(tmp_path / "many"))[:2] == (0, "0 added, 0 replaced, 25 unchanged, 0 failed, 0 deleted.\n")
    assert len(await stored(client)) == 25
