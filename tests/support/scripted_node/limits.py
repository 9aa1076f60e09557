"""What providers say when a log query asks for too much; some suggest a range, each in words of its own.

The texts are those that Ponder's getLogsRetryHelper knows (packages/utils/src/getLogsRetryHelper.ts).
"""

from collections.abc import Mapping
from typing import Final

from tests.support.scripted_node.faults import LOGS, Behaviour
from tests.support.scripted_node.methods import Methods
from tests.support.scripted_node.replies import Failure, GoOn, Reply, Request

# {first} and {last}: the range that would do, in hex; {max}: the provider's limit; {wide}: the range asked for.
RESULT_TEXTS: Final[Mapping[str, tuple[int, str]]] = {
    "infura": (-32005, "query returned more than {max} results. Try with this block range [{first}, {last}]."),
    "alchemy": (
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the "
        "response size, or you can request any block range with a cap of 10K logs in the response. Based on your "
        "parameters and the response size limit, this block range should work: [{first}, {last}]",
    ),
    "zkevm": (-32005, "query returned more than {max} results"),
    "llamarpc": (-32602, "query exceeds max results {max}"),
    "arbitrum": (-32000, "logs matched by query exceeds limit of {max}"),
    "1rpc": (-32000, "response size should not greater than {max} bytes"),
    "optimism": (-32020, "backend response too large"),
    "base": (-32011, "no backend is currently healthy to serve traffic"),
}
RANGE_TEXTS: Final[Mapping[str, tuple[int, str]]] = {
    "cloudflare": (-32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: {max}"),
    "quicknode": (-32614, "eth_getLogs is limited to a {max} range"),
    "blockpi": (-32000, "eth_getLogs is limited to {max} block range"),
    "avalanche": (-32000, "requested too many blocks from {begin} to {end}, maximum is set to {max}"),
    "thirdweb": (-32000, "Maximum allowed number of requested blocks is {max}"),
    "ankr": (-32600, "block range is too wide"),
    "base": (-32000, "block range too large"),
    "optimism": (-32000, "Block range is too large"),
    "blast": (-32000, "eth_getLogs request exceeds the range allowed for your plan ({wide} > {max})."),
    "chainstack": (-32000, "Block range limit exceeded."),
    "coinbase": (-32000, "please limit the query to at most {max} blocks"),
    "publicnode": (-32701, "exceed maximum block range: {max}"),
    "hyperliquid": (-32602, "query exceeds max block range {max}"),
    "swell": (-32000, "block range greater than {max} max"),
    "somnia": (-32000, "block range exceeds {max}"),
    "merkle": (-32000, "eth_getLogs range is too large, max is 10k blocks"),
    "harmony": (-32000, "query must be smaller than size {max}"),
    "moonriver": (-32000, "block range is too wide (maximum {max})"),
    "aurora": (-32000, "You can make eth_getLogs requests with up to a {max} block range"),
    "tac": (-32000, "maximum [from, to] blocks distance: {max}"),
}


def too_many_results(provider: str, results_max: int) -> Behaviour:
    """Refuses log queries with more results than that, in a provider's words; a range it suggests would really do."""
    code, text = RESULT_TEXTS[provider]

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        first, last = methods.log_range(request.params)
        while last > first and _count(request, methods, first, last) > results_max:
            last = (first + last) // 2
        return Failure(code, text.format(max=results_max, first=hex(first), last=hex(last)))

    def too_many(request: Request, methods: Methods) -> bool:
        first, last = methods.log_range(request.params)
        # A provider cannot ask for less than one block.
        return last > first and methods.count_logs(request.params) > results_max

    return Behaviour(f"too many results ({provider})", act, (LOGS,), too_many)


def range_too_wide(provider: str, blocks_max: int) -> Behaviour:
    """Refuses log queries over more blocks than that, in a provider's words."""
    code, text = RANGE_TEXTS[provider]

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        first, last = methods.log_range(request.params)
        return Failure(code, text.format(max=blocks_max, wide=last - first + 1, begin=first, end=last))

    def too_wide(request: Request, methods: Methods) -> bool:
        first, last = methods.log_range(request.params)
        return last - first + 1 > blocks_max

    return Behaviour(f"range too wide ({provider})", act, (LOGS,), too_wide)


def _count(request: Request, methods: Methods, first: int, last: int) -> int:
    return methods.count_logs([{**request.params[0], "fromBlock": hex(first), "toBlock": hex(last)}])
