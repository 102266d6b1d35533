"""Make a plain `transformers` classifier of the released weights: what the peers serve.

    python twin.py MODEL_FOLDER FOLDER

The encoder is the released one; the head is its document head over BERT's pooler. Its answers
are not ours, its arithmetic is: the same layers over the same tokens. Runs in the peers' own
environment.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast


def main(model: Path, folder: Path) -> None:
    encoder = json.loads((model / "config.json").read_text())["encoder"]
    encoder.pop("dtype", None)
    config = BertConfig(**{k: v for k, v in encoder.items() if k not in {"id2label", "label2id"}})
    config.num_labels = 4
    twin = BertForSequenceClassification(config)
    weights = load_file(model / "weights.safetensors")
    state = {
        f"bert.{name.removeprefix('encoder.')}": tensor
        for name, tensor in weights.items()
        if name.startswith("encoder.")
    }
    state |= {
        f"classifier.{part}": weights[f"document_logits.{part}"] for part in ("weight", "bias")
    }
    missing, unexpected = twin.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all("pooler" in name or "position_ids" in name for name in missing), missing
    twin.to(torch.float32).save_pretrained(folder)
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
               "unk_token": "[UNK]", "mask_token": "[MASK]"}  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(model / "tokenizer.json"), model_max_length=512, **special
    )
    tokenizer.save_pretrained(folder)
    # The name that older releases know too: the peers do not all have the same.
    written = folder / "tokenizer_config.json"
    named = json.loads(written.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    written.write_text(json.dumps(named))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
