"""The API as an OpenAPI document, made from the routes."""

from __future__ import annotations

from typing import Any

from collector.base.sealed import MAX_SEALED
from collector.ingest import api, bundles, decode, envelope
from collector.ingest.forget import LONGEST_ID
from collector.serve.openapi_views import TOKEN, view_paths

ABOUT = "Segment's tracking API, and the page's views for programs."
ANSWERS = {
    "200": "every event of the request is on disk, exactly once, except for those in `rejected`",
    "400": "the request cannot be read, or its one event can never be taken; `code` and `message` say why",
    "401": "unknown write key",
    "408": "the request took too long to arrive",
    "413": "the request, an event or the batch is too large",
    "431": "the headers are too large",
    "429": "too many events; try again after `Retry-After`",
    "503": "the events could not be stored; try again after `Retry-After`",
}


def openapi_document() -> dict[str, Any]:
    """The document at /openapi.json."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rollcall collector", "version": "1", "description": ABOUT},
        "components": {
            "securitySchemes": {
                "writeKey": {"type": "http", "scheme": "basic", "description": "user: the write key"},
                "apiToken": TOKEN,
            },
            "schemas": {
                "Event": _event(),
                "Track": _track(),
                "Batch": _batch(),
                "Taken": _taken(),
                "Forget": _forget(),
                "Receipt": _receipt(),
                "BundleProgress": _progress(),
                "Error": _error(),
            },
        },
        "paths": {
            **{path: {"post": _operation(path, kind)} for path, kind in api.ROUTES.items()},
            bundles.PATH: {"post": _bundle()},
            **{path: {"post": _simple("Accepted, but not stored.")} for path in sorted(api.IGNORED)},
            "/v1/projects/{key}/settings": {
                "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": _simple("The settings that Segment's browser library loads."),
            },
            "/sourceConfig": {"get": _simple("The settings that RudderStack's browser library loads.")},
            "/healthz": {"get": _simple("The process is running.")},
            "/readyz": {"get": _simple("The store answers.", "503")},
            "/metrics": {"get": _simple("Metrics for Prometheus.", "403")},
            "/openapi.json": {"get": _simple("This document.")},
            "/releases/{source}.json": _release("The release feed of a source, as the vendor signed it."),
            "/releases/{source}.json.minisig": _release("The signature of the release feed."),
            **view_paths(),
        },
    }


def _operation(path: str, kind: str) -> dict[str, Any]:
    schema = {"batch": "Batch", "track": "Track", "forget": "Forget"}.get(kind, "Event")
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    key = {"name": "writeKey", "in": "query", "schema": {"type": "string"}}
    return {
        "operationId": path[1:].replace("/", "_"),
        "parameters": [key] if path == api.BEACON else [],
        "security": [{"writeKey": []}, {}],
        "requestBody": {"required": True, "content": {"application/json": content, "text/plain": content}},
        "responses": {status: _answer(status, meaning, kind) for status, meaning in ANSWERS.items()},
    }


def _answer(status: str, meaning: str, kind: str) -> dict[str, Any]:
    good = "Receipt" if kind == "forget" else "Taken"
    if status == "200" and kind == "forget":
        meaning = "what was deleted; zeros if nothing was stored under this id"
    schema = {"schema": {"$ref": f"#/components/schemas/{good if status == '200' else 'Error'}"}}
    return {"description": meaning, "content": {"application/json": schema}}


def _release(meaning: str) -> dict[str, Any]:
    answers = _simple(meaning, "404", "503")
    answers["responses"]["304"] = {"description": "as in `If-None-Match`"}
    source = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [source], "get": answers}


def _bundle() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0, "maximum": MAX_SEALED}
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    fields: dict[str, Any] = {
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "size": {**number, "minimum": 1},
        "offset": number,
    }
    wanted = [{"name": n, "in": "query", "required": True, "schema": s} for n, s in fields.items()]
    wanted.append({"name": bundles.INSTANCE, "in": "header", "required": True, "schema": text})
    meanings = {
        **ANSWERS,
        "200": "how much of the bundle is on disk",
        "404": "this collector takes no bundles",
        "409": "the part is not the next one; `received` says where to go on",
    }
    good = {"200": "BundleProgress"}
    return {
        "operationId": "v1_bundles",
        "description": "The next part of a sealed support bundle; an empty one asks how much is stored.",
        "parameters": [*wanted, {"name": bundles.RUN, "in": "header", "schema": text}],
        "security": [{"writeKey": []}],
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string"}}}},
        "responses": {
            status: {
                "description": meaning,
                "content": {
                    "application/json": {
                        "schema": {"$ref": f"#/components/schemas/{good.get(status, 'Error')}"}
                    }
                },
            }
            for status, meaning in meanings.items()
        },
    }


def _progress() -> dict[str, Any]:
    fields = {"success": {"const": True}, "received": {"type": "integer"}, "complete": {"type": "boolean"}}
    return {"type": "object", "required": list(fields), "properties": fields}


def _simple(meaning: str, *others: str) -> dict[str, Any]:
    return {
        "responses": {
            "200": {"description": meaning},
            **{status: {"description": "not available"} for status in others},
        }
    }


def _event() -> dict[str, Any]:
    text = {"type": ["string", "null"]}
    ids = ("userId", "anonymousId")
    given = {"type": "string", "minLength": 1}
    return {
        "anyOf": [{"required": [name], "properties": {name: given}} for name in ids],
        "type": "object",
        "description": f"At most {decode.MAX_EVENT} bytes, with a userId or anonymousId. All is stored.",
        "properties": {
            "type": {"enum": sorted(decode.TYPES)},
            "messageId": {"type": ["string", "null"], "maxLength": decode.MAX_MESSAGE_ID},
            "event": text,
            "anonymousId": text,
            "userId": text,
            "timestamp": text,
            "originalTimestamp": text,
            "sentAt": text,
            "context": {"type": ["object", "null"]},
            "properties": {"type": ["object", "null"]},
            "writeKey": {"type": "string"},
        },
    }


def _track() -> dict[str, Any]:
    named = {"required": ["event"], "properties": {"event": {"type": "string", "minLength": 1}}}
    return {"allOf": [{"$ref": "#/components/schemas/Event"}, named]}


def _batch() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {
                "type": "array",
                "maxItems": envelope.MAX_BATCH,
                "items": {"$ref": "#/components/schemas/Event"},
            },
            "context": {"type": "object"},
            "integrations": {"type": "object"},
            "sentAt": {"type": ["string", "null"]},
            "writeKey": {"type": "string"},
        },
    }


def _taken() -> dict[str, Any]:
    fields = {"index": {"type": "integer"}, "code": {"type": "string"}, "message": {"type": "string"}}
    reject = {"type": "object", "required": list(fields), "properties": fields}
    return {
        "type": "object",
        "required": ["success"],
        "properties": {
            "success": {"const": True},
            "rejected": {"type": "array", "maxItems": api.MOST_LISTED, "items": reject},
            "omitted": {"type": "integer", "description": "Rejects that are not listed."},
        },
    }


def _forget() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    fields = {"instanceId": text, "writeKey": {"type": "string"}}
    return {"type": "object", "required": ["instanceId"], "properties": fields}


def _receipt() -> dict[str, Any]:
    names = ("instances", "events", "runs", "requestsForHelp", "bundles")
    counts = {name: {"type": "integer"} for name in names}
    fields = {
        "success": {"const": True},
        "instanceId": {"type": "string"},
        "deleted": {"type": "object", "required": list(counts), "properties": counts},
        "at": {"type": "string"},
        "digest": {"type": "string", "description": "SHA-256 over the deleted events' ids."},
    }
    return {"type": "object", "required": list(fields), "properties": fields}


def _error() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "success": {"const": False},
            "code": {"type": "string"},
            "message": {"type": "string"},
        },
    }
