"""The label vocabulary, in the order of the network's logits."""

from typing import Literal, get_args

Label = Literal["negative", "neutral", "positive", "mixed"]
ClauseLabel = Literal["negative", "neutral", "positive"]
Relation = Literal["none", "contrast", "concession", "addition"]

LABELS: tuple[Label, ...] = get_args(Label)
CLAUSE_LABELS: tuple[ClauseLabel, ...] = get_args(ClauseLabel)
RELATIONS: tuple[Relation, ...] = get_args(Relation)
