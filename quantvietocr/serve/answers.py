"""What the API's answers look like, for /openapi.json: their types, and an example of each."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class LineAnswer(BaseModel):
    """What was read on a picture of one line."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "a.png", "text": "Biển số xe PSA-149/25", "confidence": 0.9979}]}
    )
    name: str = Field(description="of the file")
    text: str | None = Field(None, description="what was read; absent where it could not be")
    confidence: float | None = Field(None, description="the chance in [0, 1] that all of the text is right")
    error: str | None = Field(None, description="why it could not be read")


class LinesAnswer(BaseModel):
    """What was read on pictures of one line each, in the order in which they were sent."""

    lines: list[LineAnswer]


class PagesAnswer(BaseModel):
    """The pages of a document, in the JSON that docs/receipts.md describes; or {"page", "error"}."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "pages": [
                        {
                            "page": 1,
                            "kind": "receipt",
                            "lines": [
                                {"text": "Tổng cộng:", "confidence": 0.99, "box": [[9, 9], [90, 9], [90, 30], [9, 30]]}
                            ],
                            "fields": [{"name": "total", "value": 250000, "text": "250.000đ", "sure": True}],
                        }
                    ]
                }
            ]
        }
    )
    pages: list[dict[str, Any]]


class JobAnswer(BaseModel):
    """How far a job is."""

    id: str
    name: str = Field(description="of the file")
    state: Literal["running", "done"]
    count: int = Field(description="how many pages the document has")
    pages: list[dict[str, Any]] = Field(description="those that were read so far, as in the answer of /v1/receipts")


class ErrorAnswer(BaseModel):
    """What went wrong, in a sentence."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": "No room now: try again in 2 s."}]})
    error: str


def _refusals(**also: str) -> dict[int | str, dict[str, Any]]:
    said = {
        "401": "no key, or a wrong one",
        "413": "too many bytes or pixels",
        "415": "no picture",
        "422": "a file that cannot be read",
        "503": "no room now; the header Retry-After says when",
    }
    return {int(status): {"model": ErrorAnswer, "description": why} for status, why in (said | also).items()}


LINES = _refusals()
PAGES = _refusals() | {202: {"model": JobAnswer, "description": "a long document; the header Location says where"}}
JOB: dict[int | str, dict[str, Any]] = {404: {"model": ErrorAnswer, "description": "no such job"}}


def upload_of(field: str, several: bool = False) -> dict[str, Any]:
    """OpenAPI's words for a body that is a file, or a form with files in it."""
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {field: {"type": "array", "items": file} if several else file}}
    content = {"multipart/form-data": {"schema": form}}
    content |= {kind: {"schema": file} for kind in ("image/*", "application/pdf", "application/octet-stream")}
    return {"requestBody": {"required": True, "content": content}}
