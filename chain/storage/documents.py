"""Documents by their hash: the chain has the keccak-256 of a rule's text and of a brand's names, never the words.

One file a document, called by its hash, beside the deployment's own file. A file that is not what its name says is not
there: nobody's words stand for a hash that they do not have.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chain.base.hashing import keccak

DOCUMENT_BYTES_MAX: Final = 64 * 1_024
_HASH: Final = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True)
class Documents:
    """A folder of documents; without a folder there are none."""

    folder: Path | None = None

    def read(self, content_hash: str) -> bytes | None:
        """The document that has this hash; None when it is not here."""
        if self.folder is None or not _HASH.fullmatch(content_hash):
            return None
        try:
            with (self.folder / content_hash).open("rb") as file:
                content = file.read(DOCUMENT_BYTES_MAX + 1)
        except OSError:
            return None
        return content if "0x" + keccak(content).hex() == content_hash else None

    def text(self, content_hash: str) -> str | None:
        """The same as text; None also for what is no UTF-8."""
        content = self.read(content_hash)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError:
            return None
