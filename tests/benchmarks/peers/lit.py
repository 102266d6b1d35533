"""LitServe with its dynamic batching.

python lit.py TWIN PORT
"""

import sys

import litserve
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class API(litserve.LitAPI):
    def setup(self, device):
        self.tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
        self.model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()

    def decode_request(self, request):
        return request["text"]

    def predict(self, texts):
        many = isinstance(texts, list)
        batch = self.tokenizer(
            texts if many else [texts], padding=True, truncation=True, return_tensors="pt"
        )
        with torch.inference_mode():
            found = self.model(**batch).logits.softmax(-1).max(-1)
        said = list(zip(found.indices.tolist(), found.values.tolist(), strict=True))
        return said if many else said[0]

    def encode_response(self, said):
        return {"label": said[0], "score": said[1]}


if __name__ == "__main__":
    server = litserve.LitServer(
        API(max_batch_size=32, batch_timeout=0.005), accelerator="cpu", workers_per_device=1
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", generate_client_file=False
    )
