"""The service that people write by hand: FastAPI around a pipeline.

python handmade.py TWIN PORT
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classifier = pipeline("text-classification", model=sys.argv[1], device="cpu")
app = FastAPI()


class Text(BaseModel):
    text: str


class Texts(BaseModel):
    texts: list[str]


@app.post("/predict")
def predict(body: Text) -> dict:
    return classifier(body.text, truncation=True)[0]


@app.post("/predict_many")
def predict_many(body: Texts) -> list[dict]:
    return classifier(body.texts, truncation=True, batch_size=64)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
