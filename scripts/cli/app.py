"""The `moa` command: run the parts, look at the books, start the demo.

Settings come from options or from MOA_… in the environment; they are read here, once, and handed down.
"""

from __future__ import annotations

import contextlib
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from scripts.cli.access_commands import COMMANDS as ACCESS
from scripts.cli.badges import COMMANDS as BADGES
from scripts.cli.corrections import COMMANDS as CORRECTIONS
from scripts.cli.log.commands import log, witness
from scripts.cli.openings import opening
from scripts.cli.privacy import COMMANDS as PRIVACY
from scripts.cli.proposals import COMMANDS as PROPOSALS
from scripts.cli.report_commands import COMMANDS as REPORTING
from scripts.stack.processes import end_with_parent

if TYPE_CHECKING:
    from chain.mirror.settings import MirrorSettings

app = typer.Typer(
    help="Moa: a rewards ledger that brands share.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for _name, _group in {**REPORTING, **ACCESS, **PRIVACY, **CORRECTIONS, **BADGES, **PROPOSALS}.items():
    app.add_typer(_group, name=_name)
app.add_typer(log, name="log")
app.add_typer(opening, name="opening")
app.command("witness")(witness)

DatabaseUrl = Annotated[
    str, typer.Option("--database", envvar="MOA_DATABASE_URL", help="sqlite:///… or postgresql://…")
]
RpcUrl = Annotated[str, typer.Option("--rpc", envvar="MOA_RPC_URL", help="the node's HTTP address")]
ChainId = Annotated[int, typer.Option("--chain-id", envvar="MOA_CHAIN_ID")]
Deployments = Annotated[Path, typer.Option("--deployments", envvar="MOA_DEPLOYMENTS", help="folder of <chain_id>.json")]
KeystorePath = Annotated[Path, typer.Option("--keystore", envvar="MOA_KEYSTORE", help="encrypted keys")]
KeystorePassword = Annotated[str, typer.Option("--keystore-password", envvar="MOA_KEYSTORE_PASSWORD", prompt=False)]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]
Finality = Annotated[
    str, typer.Option(envvar="MOA_FINALITY", help="depth: so many blocks below the head; tags: the node's own")
]
SafeDepth = Annotated[int, typer.Option(envvar="MOA_SAFE_DEPTH", min=0, help="blocks, with --finality depth")]
FinalDepth = Annotated[int, typer.Option(envvar="MOA_FINAL_DEPTH", min=0, help="blocks, with --finality depth")]
ConfirmedDepth = Annotated[int, typer.Option(envvar="MOA_CONFIRMED_DEPTH", min=0, help="blocks over an operation")]
UndoBlocksMax = Annotated[
    int, typer.Option(envvar="MOA_UNDO_BLOCKS_MAX", min=1, help="a deeper reorg stops the mirror")
]
BehindGrace = Annotated[
    float,
    typer.Option(
        "--behind-grace",
        envvar="MOA_BEHIND_GRACE_S",
        min=0,
        help="seconds for which what was seen is kept while the node shows less and no other branch",
    ),
]
ProgrammeStart = Annotated[
    str, typer.Option(envvar="MOA_PROGRAMME_START", help="nothing that happened before counts: 2026-01-01T00:00:00Z")
]
LogOrigin = Annotated[str | None, typer.Option(envvar="MOA_LOG_ORIGIN", help="the log's name; else the chain's")]
LogKeyNumber = Annotated[int, typer.Option(envvar="MOA_LOG_KEY_NUMBER", min=0, help="counted up to change the key")]
LogWitnesses = Annotated[str, typer.Option(envvar="MOA_LOG_WITNESSES", help="vkeys, comma-separated")]


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="end after the verdict: 0 only if it holds")] = False,
    fresh: Annotated[bool, typer.Option(help="forget the chain and start anew")] = False,
    port: Annotated[int, typer.Option(help="the gateway's port; 0 chooses a free one")] = 0,
    rpc_port: Annotated[int, typer.Option(help="Ganache's port; 0 chooses a free one")] = 0,
    state: Annotated[Path, typer.Option(help="where the demo keeps its state")] = Path("var/demo"),
    limit: Annotated[int, typer.Option(min=0, help="only the first so many purchases; 0: all")] = 0,
) -> None:
    """Replay 6,919 real purchases through the running system and show that the books balance."""
    from scripts.demo.run import run

    _end_on_signals()
    raise typer.Exit(run(state=state.resolve(), once=once, fresh=fresh, port=port, rpc_port=rpc_port, limit=limit))


@app.command()
def gateway(
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    keystore: KeystorePath,
    keystore_password: KeystorePassword,
    host: Annotated[str, typer.Option(envvar="MOA_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="MOA_PORT")] = 8000,
    log_origin: LogOrigin = None,
    log_key_number: LogKeyNumber = 0,
    log_witnesses: LogWitnesses = "",
    programme_start: ProgrammeStart = "1990-01-01T00:00:00Z",
    metrics_port: Annotated[
        int,
        typer.Option(envvar="MOA_GATEWAY_METRICS_PORT", min=0, max=65_535, help="Prometheus without a key; 0: none"),
    ] = 0,
    metrics_host: Annotated[str, typer.Option(envvar="MOA_GATEWAY_METRICS_HOST")] = "127.0.0.1",
    access_log: Annotated[bool, typer.Option(envvar="MOA_ACCESS_LOG", help="a line for each request")] = True,
    proxies: Annotated[
        str, typer.Option(envvar="MOA_PROXIES", help="addresses that speak for many callers, comma-separated")
    ] = "127.0.0.1,::1",
    origins: Annotated[
        str, typer.Option(envvar="MOA_ORIGINS", help="where the screens are served from; a passkey is bound to it")
    ] = "",
    subject_keys: Annotated[
        Path | None, typer.Option(envvar="MOA_SUBJECT_KEYS", help="a key for each person; beside the keystore")
    ] = None,
    outbox_shown: Annotated[
        bool, typer.Option(envvar="MOA_OUTBOX_SHOWN", help="a demo: the operator's key reads what was sent")
    ] = False,
) -> None:
    """Serve the HTTP interface and the screens."""
    from pydantic_core import PydanticCustomError

    from api.kit.moments import parse_moment
    from api.kit.settings import Settings
    from api.server import run

    try:
        start = parse_moment(programme_start)
    except PydanticCustomError as error:
        raise typer.BadParameter(f"--programme-start: {error.message()}") from None

    end_with_parent()
    served_from = tuple(filter(None, origins.split(","))) or (f"http://localhost:{port}",)
    run(
        Settings(
            database_url=database,
            rpc_url=rpc,
            chain_id=chain_id,
            deployments=deployments,
            keystore_path=keystore,
            keystore_password=keystore_password,
            host=host,
            port=port,
            log_origin=log_origin,
            log_key=log_key_number,
            log_witnesses=tuple(filter(None, log_witnesses.split(","))),
            programme_start=start,
            metrics_host=metrics_host,
            metrics_port=metrics_port,
            access_log=access_log,
            proxies=tuple(filter(None, proxies.split(","))),
            origins=served_from,
            passkey_domain=urlsplit(served_from[0]).hostname or "localhost",
            subject_keys=subject_keys,
            outbox_shown=outbox_shown,
        )
    )


@app.command()
def worker(
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    keystore: KeystorePath,
    keystore_password: KeystorePassword,
    finality: Finality = "depth",
    safe_depth: SafeDepth = 0,
    final_depth: FinalDepth = 0,
    confirmed_depth: ConfirmedDepth = 0,
    undo_blocks_max: UndoBlocksMax = 256,
    behind_grace: BehindGrace = 300.0,
    metrics_port: Annotated[
        int, typer.Option(envvar="MOA_METRICS_PORT", min=0, max=65_535, help="Prometheus; 0: none")
    ] = 0,
    metrics_host: Annotated[str, typer.Option(envvar="MOA_METRICS_HOST")] = "127.0.0.1",
    signers: Annotated[int, typer.Option(envvar="MOA_RELAYER_SIGNERS", min=1, help="hot keys that send")] = 1,
    tills: Annotated[
        int, typer.Option(envvar="MOA_RELAYER_TILLS", min=0, help="hot keys that act as tills; 0: those that send")
    ] = 1,
    fee_cap_gwei: Annotated[int, typer.Option(envvar="MOA_FEE_CAP_GWEI", min=1, help="never offer more")] = 500,
) -> None:
    """Run the relayer and the mirror; of several workers one leads."""
    from chain.base.errors import ChainError
    from chain.relayer.loop import RelayerSettings
    from chain.worker import gc_tuning
    from chain.worker.run import WorkerSettings, run
    from scripts.cli.log.starts import note_worker_start

    end_with_parent()
    gc_tuning.for_rows()
    settings = WorkerSettings(
        database_url=database,
        rpc_url=rpc,
        chain_id=chain_id,
        deployments=deployments,
        keystore_path=keystore,
        keystore_password=keystore_password,
        relayer=RelayerSettings(signers=signers, tills=tills, fee_cap_wei=fee_cap_gwei * 10**9),
        mirror=replace(
            _mirror_settings(finality, safe_depth, final_depth, confirmed_depth, undo_blocks_max),
            behind_grace_s=behind_grace,
        ),
        metrics_port=metrics_port,
        metrics_host=metrics_host,
    )
    try:
        note_worker_start(database, chain_id=chain_id)
        run(settings)
    except ChainError as error:
        # What waiting cannot help. The sentence says what to do; where in our code it was found helps nobody.
        typer.echo(f"The worker stopped: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def status(database: DatabaseUrl, rpc: RpcUrl, chain_id: ChainId, json: Json = False) -> None:
    """Show mirror, loops, queue and signers; 0 only if all is well."""
    from scripts.cli.status import show

    raise typer.Exit(show(database_url=database, rpc_url=rpc, chain_id=chain_id, as_json=json))


@app.command()
def digest(database: DatabaseUrl, json: Json = False) -> None:
    """Tell one number for every row of the mirror: equal for equal chains, however they were read."""
    from scripts.cli.rebuild import show_digest

    raise typer.Exit(show_digest(database_url=database, as_json=json))


@app.command()
def rebuild(
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    finality: Finality = "depth",
    safe_depth: SafeDepth = 0,
    final_depth: FinalDepth = 0,
    confirmed_depth: ConfirmedDepth = 0,
    undo_blocks_max: UndoBlocksMax = 256,
    json: Json = False,
) -> None:
    """Throw the mirror away and make it again from the chain, with the worker's own options; tell its digest."""
    from chain.base.errors import ChainError
    from scripts.cli.rebuild import rebuild as run

    settings = _mirror_settings(finality, safe_depth, final_depth, confirmed_depth, undo_blocks_max)
    try:
        code = run(
            database_url=database,
            rpc_url=rpc,
            chain_id=chain_id,
            deployments=deployments,
            settings=settings,
            as_json=json,
        )
    except ChainError as error:
        typer.echo(f"The mirror was not rebuilt: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


@app.command()
def mirror(
    db: Annotated[
        str, typer.Option(envvar="MOA_MIRROR_DATABASE_URL", show_envvar=True, help="sqlite:///file or postgresql://…")
    ],
    token: Annotated[str, typer.Option(envvar="MOA_MIRROR_TOKEN", help="the address of an ERC-20")],
    rpc: Annotated[
        str, typer.Option(envvar="MOA_RPC_URL", help="the node, by http:// or ws://; not needed for --digest")
    ] = "",
    from_block: Annotated[
        int, typer.Option(envvar="MOA_MIRROR_FROM_BLOCK", min=0, help="the first block to follow")
    ] = 0,
    undo_blocks: Annotated[int, typer.Option(min=1, help="how deep a reorg may be")] = 256,
    behind_grace: BehindGrace = 300.0,
    verify: Annotated[bool, typer.Option(help="rebuild every block's receiptsRoot")] = False,
    digest: Annotated[bool, typer.Option(help="print one hash over all rows and end")] = False,
    check_balances: Annotated[
        str | None,
        typer.Option(metavar="N|all", help="compare N balances by lot, or all, with the token's balanceOf, and end"),
    ] = None,
    seed: Annotated[int, typer.Option(help="with --check-balances N: which ones")] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="with --digest or --check-balances: machine-readable answer")
    ] = False,
) -> None:
    """Follow any plain ERC-20 into a database until SIGTERM: transfers, balances, checkpoint.

    Exit codes: 0 after SIGTERM; 1 when it stopped by itself, or balances differ; 2 when it was asked for what cannot
    be; 3 when --check-balances or --digest could not be finished.
    """
    from chain.base.errors import ArgumentInvalid
    from scripts.cli.mirror import run, sample_of, settings_of, show_check, show_digest

    if json and not digest and check_balances is None:
        raise typer.BadParameter("--json goes with --digest or --check-balances: what is followed is in the database")
    if digest and check_balances is not None:
        raise typer.BadParameter("--digest and --check-balances are two commands")
    if not rpc and not digest:
        raise typer.BadParameter("the node is named by --rpc or MOA_RPC_URL")
    settings = settings_of(
        rpc_url=rpc,
        database_url=db,
        token=token,
        from_block=from_block,
        undo_blocks=undo_blocks,
        behind_grace_s=behind_grace,
        verify=verify,
    )
    if isinstance(settings, int):
        raise typer.Exit(settings)
    if digest:
        raise typer.Exit(show_digest(settings, as_json=json))
    if check_balances is None:
        raise typer.Exit(run(settings))
    try:
        sample = sample_of(check_balances)
    except ArgumentInvalid as error:
        raise typer.BadParameter(str(error)) from error
    raise typer.Exit(show_check(settings, sample, seed, as_json=json))


@app.command()
def bootstrap(
    database: DatabaseUrl,
    deployments: Deployments,
    keys: Annotated[Path, typer.Option(help="where to write the keys that are shown only once")],
) -> None:
    """Prepare the database: migrate it, make the operator's key, and one for each brand that the mirror shows."""
    from scripts.stack.bootstrap import bootstrap as prepare

    prepare(database_url=database, deployments=deployments, keys=keys)


@app.command()
def books(
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    json: Json = False,
) -> None:
    """Compare supply, balances and mirror, brand by brand; 0 only if nothing drifts."""
    from scripts.cli.books import show

    raise typer.Exit(show(database_url=database, rpc_url=rpc, chain_id=chain_id, deployments=deployments, as_json=json))


@app.command()
def audit(
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    pin: Annotated[str | None, typer.Option(help="hash of the block you trust")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="a signed checkpoint of the log that names a block")] = None,
    log_key: Annotated[str | None, typer.Option(help="the log's public key, with --checkpoint")] = None,
    sample: Annotated[int, typer.Option(min=0, help="only so many blocks and accounts; 0: everything")] = 0,
    seed: Annotated[int, typer.Option(help="chooses the sample")] = 0,
    every_block: Annotated[bool, typer.Option(help="rebuild the receipts of every block, whatever its bloom says")] = (
        False
    ),
    from_checkpoint: Annotated[Path | None, typer.Option(help="go on from the file of a finished audit")] = None,
    save: Annotated[Path | None, typer.Option(help="where to keep this audit, to go on from it")] = None,
    json: Json = False,
) -> None:
    """Check everything against one block hash: headers, events, rules, mirror, storage; 0 only if all agree.

    1: something differs. 2: wrong use. 3: could not be finished.
    """
    from scripts.cli.audit import show

    raise typer.Exit(
        show(
            pin=pin,
            checkpoint=checkpoint,
            log_key=log_key,
            database_url=database,
            rpc_url=rpc,
            chain_id=chain_id,
            deployments=deployments,
            sample=sample,
            seed=seed,
            every_block=every_block,
            from_checkpoint=from_checkpoint,
            save=save,
            as_json=json,
        )
    )


@app.command()
def evidence(
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    member: Annotated[str | None, typer.Option(help="an address, or a member's id (needs --database)")] = None,
    brand: Annotated[str | None, typer.Option(help="a brand's slug")] = None,
    operation: Annotated[
        str | None, typer.Option(help="<brand>/<number>, or the gateway's number (needs --database)")
    ] = None,
    badge: Annotated[str | None, typer.Option(help="<brand>/<definition>, of the --member")] = None,
    vote: Annotated[str | None, typer.Option(help="<brand>/<proposal>; with --member that member's vote too")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="what gave or took the badge, posted the list, cast the vote, too")
    ] = False,
    block: Annotated[int | None, typer.Option(help="as of this block; the newest without it")] = None,
    from_block: Annotated[int | None, typer.Option(help="a member's events from this block on; all without it")] = None,
    anchor: Annotated[int | None, typer.Option(help="the block to pin, if later than --block")] = None,
    out: Annotated[Path | None, typer.Option(help="where to write; standard output without it")] = None,
    database: Annotated[str | None, typer.Option("--database", envvar="MOA_DATABASE_URL")] = None,
    keystore: Annotated[Path | None, typer.Option("--keystore", envvar="MOA_KEYSTORE", help="signs the bundle")] = None,
    keystore_password: Annotated[str | None, typer.Option(envvar="MOA_KEYSTORE_PASSWORD")] = None,
    json: Json = False,
) -> None:
    """Write a bundle that proves facts of a member, a brand, an operation, a badge or a vote to anyone, offline."""
    from scripts.cli.bundles import BundleRequest, Source, write

    source = Source(rpc, chain_id, deployments, database, keystore, keystore_password)
    asked = BundleRequest(member, brand, operation, block, from_block, anchor, badge=badge, vote=vote, events=events)
    raise typer.Exit(write(source, asked, out=out, as_json=json))


@app.command()
def verify(
    documents: Annotated[list[Path], typer.Argument(help="a bundle, a receipt or a proof of fraud; or two receipts")],
    pin: Annotated[str | None, typer.Option(help="hash of a block that you trust")] = None,
    key: Annotated[str | None, typer.Option(help="public key that must have signed")] = None,
    registry: Annotated[
        str | None, typer.Option(envvar="MOA_REGISTRY", help="address of Moa's PartnerRegistry")
    ] = None,
    deployments: Annotated[
        Path | None, typer.Option("--deployments", envvar="MOA_DEPLOYMENTS", help="the registry is that of its file")
    ] = None,
    chain_id: Annotated[int | None, typer.Option("--chain-id", envvar="MOA_CHAIN_ID", help="for --deployments")] = None,
    badges: Annotated[str | None, typer.Option(envvar="MOA_BADGES", help="address of Moa's Badges")] = None,
    governor: Annotated[
        str | None, typer.Option(envvar="MOA_GOVERNOR", help="address of Moa's ProgrammeGovernor")
    ] = None,
    json: Json = False,
) -> None:
    """Check evidence, with no database and no network.

    0: proven, or signed. 1: refused. 2: unreadable, or wrong use. 3: fraud. 4: finality broken. 5: consistent, but
    nobody said whose registry it is of (--registry, or --deployments and --chain-id), or whose Badges or
    ProgrammeGovernor (--badges, --governor).
    """
    from scripts.cli.evidence import check

    raise typer.Exit(
        check(
            documents,
            pin=pin,
            key=key,
            as_json=json,
            registry=registry,
            deployments=deployments,
            chain_id=chain_id,
            badges=badges,
            governor=governor,
        )
    )


memo = typer.Typer(help="Memos of purchases: shown whole, or proven field by field.", no_args_is_help=True)
app.add_typer(memo, name="memo")


@memo.command("show")
def memo_show(operation: Annotated[int, typer.Argument()], database: DatabaseUrl, json: Json = False) -> None:
    """Show the memo of an operation."""
    from scripts.cli.memos import show

    raise typer.Exit(show(database_url=database, operation=operation, as_json=json))


@memo.command("prove")
def memo_prove(
    operation: Annotated[int, typer.Argument()],
    fields: Annotated[list[str], typer.Argument(help="the fields to show; the others stay hidden")],
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments,
    out: Annotated[Path | None, typer.Option(help="where to write; standard output without it")] = None,
    keystore: Annotated[Path | None, typer.Option("--keystore", envvar="MOA_KEYSTORE", help="signs the bundle")] = None,
    keystore_password: Annotated[str | None, typer.Option(envvar="MOA_KEYSTORE_PASSWORD")] = None,
) -> None:
    """Write a bundle that shows and proves some fields of a memo, and no others."""
    from scripts.cli.bundles import BundleRequest, Source, write

    source = Source(rpc, chain_id, deployments, database, keystore, keystore_password)
    raise typer.Exit(write(source, BundleRequest(operation=str(operation), show=fields), out=out))


@app.command("contracts-test")
def contracts_test(path: Annotated[str, typer.Argument(help="what to run")] = "tests/contracts") -> None:
    """Run Brownie's tests on a Ganache of their own."""
    from scripts.verify.contracts import run

    _end_on_signals()
    raise typer.Exit(run(path))


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="names that contain this")] = "",
) -> None:
    """Measure, side by side, and write build/bench.json."""
    from scripts.bench.run import run

    _end_on_signals()
    raise typer.Exit(run(only=only))


def _mirror_settings(
    finality: str, safe_depth: int, final_depth: int, confirmed_depth: int, undo_blocks_max: int
) -> MirrorSettings:
    from chain.mirror.settings import DEPTH, TAGS, MirrorSettings

    if finality not in (DEPTH, TAGS):
        raise typer.BadParameter(f"finality is {DEPTH} or {TAGS}, not {finality!r}")
    if safe_depth > final_depth:
        raise typer.BadParameter("what is final is safe: --final-depth is at least --safe-depth")
    return MirrorSettings(
        finality=finality,
        safe_depth=safe_depth,
        final_depth=final_depth,
        confirmed_depth=confirmed_depth,
        undo_blocks_max=undo_blocks_max,
    )


def _end_on_signals() -> None:
    """Ctrl-C and SIGTERM end us the same way, also where a shell started us with Ctrl-C ignored (in the background)."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def main() -> None:
    with contextlib.suppress(BrokenPipeError):
        app()


if __name__ == "__main__":
    main()
