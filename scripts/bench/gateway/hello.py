"""The framework's "hello", served exactly as the gateway is: the baseline of reading."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from scripts.stack.processes import end_with_parent

app = FastAPI()


@app.get("/hello")
async def hello() -> dict[str, str]:
    """The least that the framework does for an answer."""
    return {"hello": "world"}


if __name__ == "__main__":
    end_with_parent()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
    )
