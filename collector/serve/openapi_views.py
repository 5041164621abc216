"""The page's views for programs, in the OpenAPI document: JSON and CSV, with an API token."""

from __future__ import annotations

from typing import Any

from collector.base.environments import CHOICES
from collector.page import public
from collector.page.period import NAMED
from collector.page.views import VIEWS, VIEWS_OF

TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "made by `rollcall-collector tokens add NAME`; Basic works too, with the token as user",
}
KINDS = {"json": "application/json", "csv": "text/csv"}
_SORT = "the order, by column `{}`; with a minus, the latest first".format
_BEGAN = {"runs.sort": _SORT("began")}
_WORDS = {"version": "only those of a version", "system": "only those of a system, as `debian 12`"}
OWN: dict[str, dict[str, str]] = {
    "/installs": {"state": "only runs that ended so, or `stuck` ones", **_WORDS, **_BEGAN},
    "/stuck": {**_WORDS, **_BEGAN},
    "/since": {"version": "the release; without it, the latest"},
    "/adoption": {"by": "`version` or `system`"},
    "/usage": {"event": "the name of an event; without it, the most frequent one"},
    "/instances": {"state": "only instances in a state", **_WORDS, "instances.sort": _SORT("last_seen")},
    "/support": {
        "show": "only requests that are `waiting` or `answered`",
        "requests.sort": f"{_SORT('asked')}; without it, waiting ones first",
    },
    "/events": {
        "event": "only events with a name",
        "instance": "only those of an instance",
        "events.sort": _SORT("time"),
    },
    "/failure": {
        **dict.fromkeys(("script", "line", "command", "end"), "of the place"),
        "also": "further lines at which the same step stands, with spaces between",
        **_BEGAN,
    },
    "/find": {"id": "an id, or its first eight characters or more"},
}
TABLES = {"json": "all of them", "csv": "the first"}
ANSWERS = {
    "400": "a parameter is wrong; `message` says which values it takes",
    "401": "no token, or one that is unknown or revoked",
    "403": "the token's role may not see this",
    "404": "no such source, run, instance or table; or a source that the token may not read",
    "503": "the database does not answer; try again after `Retry-After`",
}


def view_paths() -> dict[str, Any]:
    """Every view by its paths."""
    views = [path for path in VIEWS if path != "/"]
    others = {"/bundle/{id}.jwe": _sealed()}
    others |= {f"{public.START}{{source}}.{suffix}": _public(suffix) for suffix in KINDS}
    return others | {
        f"{path}.{suffix}": _path(path, suffix, with_id=path.endswith("{id}"))
        for path in (*views, *(f"{start}{{id}}" for start in VIEWS_OF))
        for suffix in KINDS
    }


def _public(suffix: str) -> dict[str, Any]:
    """The public page of a source, which needs no token."""
    views = _path("/overview", suffix, with_id=False)["get"]["responses"]
    answers = {status: views[status] for status in ("200", "503")}
    answers["404"] = {**views["404"], "description": "there is no such source, or it is not public"}
    source = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [source], "get": {"security": [], "responses": answers}}


def _sealed() -> dict[str, Any]:
    """A sealed bundle's own address."""
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers = {status: {"description": meaning, "content": error} for status, meaning in ANSWERS.items()}
    body = {"application/jose": {"schema": {"type": "string"}}}
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    good = {"description": "the sealed bundle, a compact JWE", "content": body}
    return {
        "parameters": [number],
        "get": {"security": [{"apiToken": []}], "responses": {"200": good, **answers}},
    }


def _path(path: str, suffix: str, *, with_id: bool) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    body = {"type": "object" if suffix == "json" else "string"}
    answers = {status: {"description": meaning, "content": error} for status, meaning in ANSWERS.items()}
    good = {"description": "the view", "content": {KINDS[suffix]: {"schema": body}}}
    parameters = [
        _query("source", "the source; without it, the first that has events"),
        _query("period", "how many days the view covers", {"enum": [*NAMED, "custom"]}),
        _query("from", "the first day of a custom period", {"format": "date"}),
        _query("to", "the last day; without it, today", {"format": "date"}),
        _query("env", "whose installs and instances count; without it, production", {"enum": [*CHOICES]}),
        _query("table", f"the name of one of the view's tables; without it, {TABLES[suffix]}"),
    ]
    parameters += [_query(name, meaning) for name, meaning in OWN.get(path, {}).items()]
    if with_id:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    return {
        "parameters": parameters,
        "get": {"security": [{"apiToken": []}], "responses": {"200": good, **answers}},
    }


def _query(name: str, meaning: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": meaning, "schema": {"type": "string", **(more or {})}}
