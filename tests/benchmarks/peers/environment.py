"""The peers, in virtual environments of their own under build/, made once."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SECONDS_TO_INSTALL = 1200


@dataclass(frozen=True, slots=True)
class Peer:
    """A service to compare with: what it needs, how it starts, what it is asked."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    path: str = "/predict"
    bodies: str = "single"
    batch_path: str = ""
    # The environment: shared, unless a peer wants other releases than the others.
    home: str = "common"

    @property
    def probe(self) -> dict[str, Any]:
        """A request that tells whether it answers."""
        one = {"text": "很好"} if self.bodies == "single" else {"model": "twin", "input": ["很好"]}
        return {"path": self.path, "body": one}


# `{bin}`, `{twin}` and `{port}` are filled in.
PEERS = (
    Peer(
        "FastAPI + pipeline",
        ("transformers", "fastapi", "uvicorn[standard]"),
        ("{bin}/python", str(HERE / "handmade.py"), "{twin}", "{port}"),
        batch_path="/predict_many",
    ),
    Peer(
        "LitServe",
        ("transformers", "litserve"),
        ("{bin}/python", str(HERE / "lit.py"), "{twin}", "{port}"),
    ),
    Peer(
        "Infinity",
        ("infinity-emb[server,torch]",),
        (
            "{bin}/infinity_emb", "v2", "--model-id", "{twin}", "--served-model-name", "twin",
            "--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--port", "{port}",
            "--host", "127.0.0.1", "--log-level", "error",
        ),
        path="/classify",
        bodies="input",
        home="infinity",
    ),
    Peer(
        "Ray Serve",
        ("transformers", "ray[serve]"),
        ("{bin}/python", str(HERE / "rays.py"), "{twin}", "{port}"),
    ),
)  # fmt: skip


def install(peer: Peer, folder: Path, torch: list[str]) -> Path:
    """The programs of the peer's environment, made if it is not there.

    Raises:
        RuntimeError: it does not install; with pip's own reason.
    """
    home = folder / peer.home
    done = home / f".installed-{peer.name.replace(' ', '')}"
    if not done.exists():
        if not (home / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
        for packages in (torch, peer.packages):
            log = home / "pip.log"
            with log.open("w", encoding="utf-8") as told:
                try:
                    code = subprocess.run(
                        [*pip, *packages], stdout=told, stderr=told, timeout=SECONDS_TO_INSTALL
                    ).returncode
                except subprocess.TimeoutExpired:
                    raise RuntimeError("pip did not end in time") from None
            if code:
                lines = log.read_text(errors="replace").splitlines()
                reasons = [line for line in lines if line.startswith("ERROR")]
                raise RuntimeError((reasons or lines or ["pip failed"])[-1][:160])
        done.touch()
    return home / "bin"


def make_twin(programs: Path, model: Path, twin: Path) -> None:
    """Write the plain classifier that all peers serve, with a peer's own libraries.

    Raises:
        RuntimeError: it cannot be made; with the reason.
    """
    if not (twin / "config.json").exists():
        done = subprocess.run(
            [str(programs / "python"), str(HERE / "twin.py"), str(model), str(twin)],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1][:160])
