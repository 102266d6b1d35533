"""Ray Serve with `@serve.batch`.

python rays.py TWIN PORT
"""

import sys
import threading

import ray
import torch
from ray import serve
from transformers import AutoModelForSequenceClassification, AutoTokenizer

TWIN, PORT = sys.argv[1], int(sys.argv[2])


@serve.deployment(ray_actor_options={"num_cpus": 1}, max_ongoing_requests=256)
class Sentiment:
    def __init__(self) -> None:
        torch.set_num_threads(2)
        self.tokenizer = AutoTokenizer.from_pretrained(TWIN)
        self.model = AutoModelForSequenceClassification.from_pretrained(TWIN).eval()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.005)
    async def predict(self, texts):
        batch = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            found = self.model(**batch).logits.softmax(-1).max(-1)
        pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
        return [{"label": label, "score": score} for label, score in pairs]

    async def __call__(self, request):
        return await self.predict((await request.json())["text"])


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Sentiment.bind(), route_prefix="/predict")
    threading.Event().wait()
