"""The fleet's shared memory: looked through, searched, changed with a check of the version, and what was before."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, get, post

from ringforge_core.errors import InvalidPayload, NotFound, Refused
from ringforge_dashboard.desk import Answer, AtDesk, Desk
from ringforge_dashboard.rendering import pretty_json
from ringforge_dashboard.wording import REFUSALS, Refusal

SHOWN = 50
PREVIEW = 160


class EntryForm(msgspec.Struct):
    """`version` is the one that the form was made from; 0 for a new entry. `as_json`: the value is JSON, else a text."""

    key: str = ""
    value: str = ""
    tags: str = ""
    as_json: str = ""
    version: int = 0


class MemoryPages(Controller):
    path = "/memory"

    @get("/")
    async def index(self, desk: AtDesk) -> Answer:
        words, tag = desk.query.get("words", "").strip(), desk.query.get("tag", "").strip()
        offset = _whole(desk.query.get("offset", ""))
        tags = {"tags": [tag]} if tag else {}
        try:
            if words:
                found = await desk.say("memory:query", text_search=words, limit=SHOWN, sort="relevance", **tags)
            else:
                found = await desk.say("memory:list", limit=SHOWN, offset=offset, **tags)
        except Refused as error:
            return desk.refused(
                "memory.html", error, title="Memory", entries=[], total=0, words=words, tag=tag, older=None, names={}
            )
        seen = offset + found["count"]
        older = str(seen) if not words and found["count"] and seen < found["total"] else None
        names = await desk.agent_names(entry["author"] for entry in found["entries"])
        entries = [{**entry, "preview": _preview(entry["value"])} for entry in found["entries"]]
        return desk.page(
            "memory.html",
            title="Memory",
            entries=entries,
            total=found["total"],
            words=words,
            tag=tag,
            older=older,
            names=names,
        )

    @get("/entry")
    async def show(self, desk: AtDesk) -> Answer:
        """With a `key` that entry, without one the form for a new one."""
        return await _entry_page(desk, desk.query.get("key", ""))

    @post("/save")
    async def save(self, desk: AtDesk) -> Answer:
        form = await desk.form(EntryForm)
        try:
            value = _value(form)
            tags = [tag for text in form.tags.split(",") if (tag := text.strip())]
            await desk.say("memory:set", key=form.key, value=value, tags=tags, if_version=form.version)
        except REFUSALS as error:
            return await _entry_page(desk, form.key, error, form)
        return desk.go("/dashboard/memory/entry", key=form.key, done="saved")

    @post("/delete")
    async def delete(self, desk: AtDesk) -> Answer:
        form = await desk.form(EntryForm)
        try:
            await desk.say("memory:delete", key=form.key, if_version=form.version)
        except NotFound:
            raise
        except REFUSALS as error:
            return await _entry_page(desk, form.key, error)
        return desk.go("/dashboard/memory", done="forgotten")


async def _entry_page(desk: Desk, key: str, error: Refusal | None = None, given: EntryForm | None = None) -> Answer:
    """The entry as it is now, or as it was given when that was refused."""
    entry: dict[str, Any] | None = None
    versions: list[dict[str, Any]] = []
    if key:
        try:
            versions = (await desk.say("memory:history", key=key, limit=20))["versions"]
            entry = await desk.say("memory:get", key=key)
        except NotFound:
            if given is None and not versions:
                raise
        except Refused:
            if given is None:
                raise
    shown = given or _form_of(entry, key, versions)
    return desk.page(
        "memory_entry.html", title=key or "New entry", error=error, entry=entry,
        versions=versions, given=shown, names=await desk.agent_names(each["author"] for each in versions),
    )  # fmt: skip


def _form_of(entry: dict[str, Any] | None, key: str, versions: list[dict[str, Any]]) -> EntryForm:
    if entry is None:
        return EntryForm(key=key, version=versions[0]["version"] if versions else 0)
    is_text = isinstance(entry["value"], str)
    value = entry["value"] if is_text else pretty_json(entry["value"])
    return EntryForm(
        key=key, value=value, tags=", ".join(entry["tags"]), as_json="" if is_text else "yes", version=entry["version"]
    )


def _value(form: EntryForm) -> Any:
    text = form.value.replace("\r\n", "\n")
    if not form.as_json:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidPayload("The value is not JSON.", field="value", fix=f"{error}.") from error


def _preview(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= PREVIEW else text[:PREVIEW] + "…"


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
