"""What the demo says when it cannot go on, and where it sends its reader."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from scripts.demo import run as demo
from scripts.stack.local_stack import LocalStackError


def test_the_words_of_a_log_are_told_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SPEC 11.6: brackets in a log are no markup; they neither vanish nor end the demo with a fault of its own."""
    words = "no [/usr/lib/x] for [parameters: (1,)]"

    def broken(*_: object) -> NoReturn:
        raise LocalStackError(words)

    monkeypatch.setattr(demo, "stack", broken)

    assert demo.run(state=tmp_path, once=True, fresh=False, port=0, rpc_port=0) == 1
    assert words in capsys.readouterr().out
