"""The shapes of requests and answers, as /openapi.json documents them.

Requests are checked against `ClassifyRequest`; answers are built by the code
that `models` tests, so they are documented here and not validated a second time.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.labels import ClauseLabel, Label, Relation

EXAMPLE_TEXT = "这部电影不坏，但也不算特别好。"


class ClassifyRequest(BaseModel):
    """One text or several, as OneText and ManyTexts document it: each wrong text has its error."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: str = ""
    texts: list[Any] = []

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give either text or texts")
        return self


class OneText(BaseModel):
    """A request for one result. Documents what ClassifyRequest checks."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": EXAMPLE_TEXT}]}
    )

    text: str = Field(min_length=1, description="The text to classify.")


class ManyTexts(BaseModel):
    """A request for several results. Documents what ClassifyRequest checks."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": [EXAMPLE_TEXT, "屏幕很亮。"]}]}
    )

    texts: list[str] = Field(
        min_length=1,
        description="Texts to classify. One that is wrong gets an error in its place.",
    )


class _Answer(BaseModel):
    # An answer always has all its fields.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Scores(_Answer):
    """Calibrated probabilities; they sum to 1."""

    positive: float = Field(ge=0, le=1)
    neutral: float = Field(ge=0, le=1)
    negative: float = Field(ge=0, le=1)
    mixed: float = Field(ge=0, le=1)


class ClauseScores(_Answer):
    """Calibrated probabilities; they sum to 1."""

    positive: float = Field(ge=0, le=1)
    neutral: float = Field(ge=0, le=1)
    negative: float = Field(ge=0, le=1)


class Connective(_Answer):
    """The word that marks a clause's relation. Offsets as in Clause."""

    text: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Clause(_Answer):
    """A stretch of the text, [start, end) in Unicode code points of the text as sent."""

    text: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    label: ClauseLabel = Field(description="As it is meant in the whole sentence.")
    scores: ClauseScores
    relation: Relation = Field(description="To what precedes it.")
    connective: Connective | None


class ModelName(_Answer):
    """Which model answered."""

    name: str
    version: str


class Result(_Answer):
    """What the classifier says of one text."""

    label: Label = Field(description="The highest score.")
    scores: Scores
    polarity: float = Field(
        ge=-1, le=1, description="Which side wins, from -1 (unfavourable) to 1 (favourable)."
    )
    clauses: list[Clause] = Field(description="They tile the text, in order.")
    windows: int = Field(ge=1, description="Passes that read the text; long texts need several.")
    model: ModelName


class ProblemSummary(_Answer):
    """What is wrong, in the shape of RFC 9457."""

    type: str = Field(description="Identifies the kind of problem.")
    title: str
    status: int
    detail: str = Field(description="A sentence on this case.")


class FieldProblem(_Answer):
    """One wrong field."""

    field: str
    detail: str
    limit: int | None = Field(None, description="What is allowed, where that is a number.")
    given: int | str | None = Field(None, description="What came: a number, or a type's name.")


class Problem(ProblemSummary):
    """An RFC 9457 problem."""

    errors: list[FieldProblem] | None = Field(None, description="The wrong fields.")


class ItemError(_Answer):
    """In the place of a result: this text could not be classified."""

    error: ProblemSummary


class Results(_Answer):
    """One entry for each text, in order."""

    results: list[Result | ItemError]


class Limits(_Answer):
    """What a request may hold."""

    max_chars: int = Field(description="Code points a text.")
    max_texts: int = Field(description="Texts a request.")
    max_body_bytes: int = Field(description="Bytes a body.")
    max_tokens: int = Field(description="Tokens a request, all its texts together.")


class Engine(_Answer):
    """The runtime that computes."""

    name: str
    precision: str
    threads: int


class ModelInfo(_Answer):
    """The manifest of the model that serves, with the service's limits and its engine."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: str
    licence: str
    labels: list[str]
    clause_labels: list[str]
    max_length: int = Field(description="Tokens a window.")
    data: list[dict[str, Any]] = Field(description="What it was trained on.")
    scores: dict[str, Any] = Field(description="What was measured of it.")
    limits: Limits
    engine: Engine


class Health(_Answer):
    """All is well."""

    status: Literal["ok"]


EXAMPLE_RESULT: dict[str, Any] = {
    "label": "mixed",
    "scores": {"positive": 0.11, "neutral": 0.06, "negative": 0.14, "mixed": 0.69},
    "polarity": -0.24,
    "clauses": [
        {
            "text": "这部电影不坏，",
            "start": 0,
            "end": 7,
            "label": "positive",
            "scores": {"positive": 0.83, "neutral": 0.10, "negative": 0.07},
            "relation": "none",
            "connective": None,
        },
        {
            "text": "但也不算特别好。",
            "start": 7,
            "end": 15,
            "label": "negative",
            "scores": {"positive": 0.12, "neutral": 0.21, "negative": 0.67},
            "relation": "contrast",
            "connective": {"text": "但", "start": 7, "end": 8},
        },
    ],
    "windows": 1,
    "model": {"name": "danshi-zh", "version": "2026.11.1"},
}
