"""How sure a block is: by depth below the head, or by the tags of a node whose tags mean something."""

from typing import Any, Final

from chain.base.errors import AnswerInconsistent
from chain.mirror.checkpoint import Levels
from chain.mirror.settings import TAGS, MirrorSettings
from chain.node import blocks
from chain.node.blocks import BlockHeader
from chain.node.rpc import Rpc

SAFE: Final = "safe"
FINALIZED: Final = "finalized"


class Finality:
    """Tells the levels of a head."""

    def __init__(self, rpc: Rpc, settings: MirrorSettings):
        self._rpc = rpc
        self._settings = settings

    def levels(self, head: BlockHeader) -> tuple[Levels, tuple[BlockHeader, ...]]:
        """The levels, and the blocks that the node named for them: those must be blocks of our chain.

        Raises AnswerInconsistent when the node does not know its tags.
        """
        if self._settings.finality != TAGS:
            depths = self._settings
            levels = Levels(max(0, head.number - depths.safe_depth), max(0, head.number - depths.final_depth))
            return levels, ()
        safe, final = self._tagged()
        if final.number > safe.number or safe.number > head.number:
            # The head moved between the two questions, or the node contradicts itself.
            raise AnswerInconsistent(
                f"The node calls block {safe.number} safe and {final.number} final under head {head.number}."
            )
        return Levels(safe.number, final.number), (safe, final)

    def _tagged(self) -> tuple[BlockHeader, BlockHeader]:
        answers = self._rpc.batch([("eth_getBlockByNumber", [tag, False]) for tag in (SAFE, FINALIZED)])
        safe, final = (self._header(tag, raw) for tag, raw in zip((SAFE, FINALIZED), answers, strict=True))
        return safe, final

    def _header(self, tag: str, raw: Any) -> BlockHeader:
        with blocks.believable(f"the block tagged {tag}"):
            found = blocks.header(raw)
        if found is None:
            raise AnswerInconsistent(f"The node knows no {tag} block; choose finality by depth for it.")
        return found
