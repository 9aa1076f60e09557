"""What plain text and plain numbers stand for. At run time these are str and int; mypy keeps one from another's place.

Who reads a value from outside (a node's answer, a row, a caller) says once what it is; whoever passes it on, passes
that on. Loops over rows make none: their rows are typed as a whole (chain.mirror.queries).
"""

from typing import NewType

# 0x and 40 hex digits in lower case (chain.base.addresses makes one of what people write).
Address = NewType("Address", str)
# 0x and 64 hex digits in lower case.
TxHash = NewType("TxHash", str)
BlockHash = NewType("BlockHash", str)
# Points or money in the smallest unit of their token. BaseUnitsText: the same as decimal text, as tables keep it.
BaseUnits = NewType("BaseUnits", int)
BaseUnitsText = NewType("BaseUnitsText", str)
# A brand by its number in the registry. RegistryIdText: the same as decimal text, as events and the mirror have it.
RegistryId = NewType("RegistryId", int)
RegistryIdText = NewType("RegistryIdText", str)
