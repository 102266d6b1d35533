"""Train the network: one pass over a mixture of sources, three losses together."""

import json
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from models.network import DanshiNetwork, DanshiOutput
from models.tokenizer import INPUTS, collate
from training.adversary import Adversary
from training.config import Recipe
from training.encoders import Start, drop_inside, load_start
from training.errors import TrainingError
from training.losses import agreement_loss, clause_loss, document_loss, leaning_loss, relation_loss
from training.mixture import Mixture, training_rows
from training.sampler import GroupedByLength
from training.targets import IGNORED, TrainingRow

log = logging.getLogger(__name__)


class Rows(Dataset[dict[str, Any]]):
    """Training rows as the Trainer wants them."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        self._rows = rows

    @property
    def lengths(self) -> list[int]:
        """Of each row, in tokens."""
        return [row.length for row in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"row": self._rows[index]}


class Collator:
    """Pads rows and their targets together."""

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        rows: list[TrainingRow] = [feature["row"] for feature in features]
        batch = collate([row.row for row in rows], self._pad_id)
        shape = len(rows), len(batch.clause_slots)
        clauses = np.full(shape, IGNORED, np.int64)
        clause_weights = np.zeros(shape, np.float32)
        relations = np.full(shape, IGNORED, np.int64)
        for i, row in enumerate(rows):
            clauses[i, : len(row.clauses)] = row.clauses
            clause_weights[i, : len(row.clauses)] = row.clause_weights
            relations[i, : len(row.clauses)] = row.relations
        arrays = {
            **batch.as_inputs(),
            "document_target": np.stack([row.document for row in rows]),
            "leaning_target": np.array([row.leaning for row in rows], np.float32),
            "leaning_weight": np.array([row.leaning_weight for row in rows], np.float32),
            "clause_target": clauses,
            "clause_weight": clause_weights,
            "relation_target": relations,
            "weight": np.array([row.weight for row in rows], np.float32),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


class DanshiTrainer(Trainer):
    """The Trainer with the three losses, and those of harder texts; logs each of them."""

    def __init__(self, recipe: Recipe, network: DanshiNetwork, **kwargs: Any) -> None:
        super().__init__(model=network, **kwargs)
        self._recipe = recipe
        self._parts: dict[str, list[float]] = defaultdict(list)
        self._adversary: Adversary | None = None
        if recipe.adversarial:
            embedding = network.encoder.get_input_embeddings()
            self._adversary = Adversary(embedding, recipe.adversarial)

    def _get_train_sampler(self, train_dataset: Any = None) -> GroupedByLength:
        rows = self.train_dataset if train_dataset is None else train_dataset
        assert isinstance(rows, Rows)
        group = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return GroupedByLength(
            group, rows.lengths, lambda: (self.args.seed, int(self.state.epoch or 0))
        )

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor | Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self._adversary:
            with self._adversary.attack():
                super().training_step(model, inputs, num_items_in_batch)
        return loss

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        output = DanshiOutput(*(part.float() for part in model(**{n: inputs[n] for n in INPUTS})))
        weight = inputs["weight"]
        parts = {
            "document": document_loss(output.document, inputs["document_target"], weight),
            "leaning": self._recipe.leaning_loss
            * leaning_loss(
                output.leaning, inputs["leaning_target"], weight * inputs["leaning_weight"]
            ),
            "clauses": self._recipe.clause_loss
            * clause_loss(
                output.clauses,
                inputs["clause_target"],
                inputs["clause_weight"] * weight.unsqueeze(-1),
            ),
            "relations": self._recipe.relation_loss
            * relation_loss(output.relations, inputs["relation_target"]),
        }
        if self._recipe.agreement_loss:
            parts["agreement"] = self._recipe.agreement_loss * agreement_loss(
                output.document, output.clauses, inputs["clause_ids"], weight
            )
        loss = torch.stack(tuple(parts.values())).sum()
        if self._adversary and self._adversary.attacking:
            parts = {"adversarial": loss}
        for name, part in parts.items():
            self._parts[name].append(float(part.detach()))
        return (loss, output) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        for name, values in self._parts.items():
            if "loss" in logs and values:
                logs[f"{name}_loss"] = round(float(np.mean(values)), 4)
                values.clear()
        super().log(logs, start_time)


def train(
    recipe: Recipe,
    mixture: Mixture,
    folder: Path,
    *,
    seed: int = 1,
    resume: bool = False,
    bf16: bool | None = None,
    accumulate: int = 1,
    save_steps: int = 500,
) -> Path:
    """Train and leave the network in `folder`/network; returns that path.

    Raises:
        TrainingError: `folder` holds another run, or there is nothing to resume.
    """
    checkpoint = check_folder(folder, resume)
    set_seed(seed)
    network, tokenizer, start = load_start(recipe.encoder, recipe.max_length)
    drop_inside(network.encoder, recipe.encoder_dropout)
    rows = training_rows(mixture, recipe, tokenizer, seed)
    log.info("%s rows, %s tokens", f"{len(rows):,}", f"{sum(r.length for r in rows):,}")
    arguments = TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=accumulate,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        lr_scheduler_type=recipe.schedule,
        optim="adamw_torch_fused",
        bf16=has_bf16() if bf16 is None else bf16,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=50,
        save_steps=save_steps,
        save_total_limit=2,
        report_to=["tensorboard"],
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    use_one_gpu(arguments)
    trainer = DanshiTrainer(
        recipe,
        network,
        args=arguments,
        train_dataset=Rows(rows),
        data_collator=Collator(tokenizer.pad_id),
    )
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=checkpoint)
    if trainer.is_world_process_zero():
        about = {
            "max_length": recipe.serving_max_length,
            "seed": seed,
            "processes": arguments.world_size,
            "rows": len(rows),
            "tokens": sum(row.length for row in rows),
        }
        network = trainer.accelerator.unwrap_model(trainer.model)
        write_run(network, start, folder, about, time.monotonic() - began)
    return folder / "network"


def write_run(
    network: DanshiNetwork, start: Start, folder: Path, about: dict[str, Any], seconds: float
) -> Path:
    """The network, its tokenizer and what is known of its training, in `folder`/network."""
    target = folder / "network"
    save_network(network, target)
    start.save_tokenizer(target / "tokenizer.json")
    about = {"encoder": start.about(), **about, "seconds": round(seconds)}
    (target / "training.json").write_text(json.dumps(about, ensure_ascii=False, indent=1))
    return target


def save_network(network: DanshiNetwork, folder: Path) -> None:
    """Weights as safetensors and the configuration beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)


def use_one_gpu(arguments: TrainingArguments) -> None:
    """Keep the Trainer from spreading a batch over the GPUs of one process.

    It would cut every tensor along its first dimension, which is not always the batch's.
    """
    if arguments.n_gpu > 1:
        log.info(
            "training on one of %d GPUs; torchrun --nproc-per-node %d uses all of them",
            arguments.n_gpu,
            arguments.n_gpu,
        )
        arguments._n_gpu = 1


def has_bf16() -> bool:
    """Whether bf16 arithmetic is in the hardware, not emulated."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def check_folder(folder: Path, resume: bool) -> str | None:
    """The checkpoint to go on from, or None for a new run.

    Raises:
        TrainingError: there is nothing to resume, or another run is in the way.
    """
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if resume:
        if last is None:
            raise TrainingError(f"{folder} holds no checkpoint to resume from")
        return str(last)
    if last is not None:
        raise TrainingError(
            f"{folder} holds a run already; continue it with --resume, or name another folder"
        )
    return None
