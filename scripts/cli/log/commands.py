"""The commands `moa log …` and `moa witness`.

0: all holds. 1: something does not. 2: wrong use. 3: a proof that the log lied. 4: the log could not be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from chain.base.errors import ChainError
from chain.tlog.checkpoints import Checkpoint, open_checkpoint, unverified
from chain.tlog.errors import LogForked, NoteMalformed, TlogError
from chain.tlog.forks import FORMAT as FORK_FORMAT
from chain.tlog.forks import Fork
from chain.tlog.inclusions import Inclusion
from chain.tlog.notes import Verifier, encode
from chain.tlog.proofs import verify_consistency
from scripts.cli.log.errors import MemoryUnreadable, SourceFailed, WitnessBusy

if TYPE_CHECKING:
    from scripts.cli.log.sources import Source
    from scripts.cli.log.witness import Witness

log = typer.Typer(help="The gateway's own acts: checkpoints, entries, proofs.", no_args_is_help=True)

PROOF_FORMAT: Final = "moa-log-proof/1"
HOLDS, FAULTY, MISUSED, FRAUD, UNREAD = range(5)
FILE_BYTES_MAX: Final = 1_000_000
PORT_MAX: Final = 65_535

Url = Annotated[str | None, typer.Option("--url", envvar="MOA_GATEWAY_URL", help="the gateway's HTTP address")]
Key = Annotated[str | None, typer.Option("--key", envvar="MOA_KEY", help="an auditor's key; for entries only")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", envvar="MOA_DATABASE_URL", help="past the gateway: sqlite:///… or postgresql://…"),
]
LogKey = Annotated[str | None, typer.Option("--log-key", envvar="MOA_LOG_KEY", help="the log's vkey, as you pinned it")]
Out = Annotated[Path | None, typer.Option("--out", help="write to this file, not to the screen")]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]


@log.command("checkpoint")
def checkpoint(
    context: typer.Context,
    url: Url = None,
    database: DatabaseUrl = None,
    log_key: LogKey = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Fetch the newest signed checkpoint; with --log-key its signature is verified.

    The note itself, as it was signed, is on the screen or in --out; --json tells on the screen what is in it.
    """
    with _Told(json):
        note = _source(context, url, database).checkpoint()
        seen = unverified(note) if log_key is None else open_checkpoint(note, Verifier.parse(log_key))
        if out is not None or not json:
            _give(note, out)
        if json:
            typer.echo(orjson.dumps(_told_checkpoint(seen, note, verified=log_key is not None)).decode())


@log.command("list")
def entries(
    context: typer.Context,
    url: Url = None,
    key: Key = None,
    database: DatabaseUrl = None,
    start: Annotated[int, typer.Option(min=0, help="the first entry")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="at most so many")] = 100,
    act: Annotated[str, typer.Option(help="only this kind of act")] = "",
    json: Json = False,
) -> None:
    """Show entries, oldest first."""
    with _Told():
        source = _source(context, url, database, key)
        at = start
        end = min(start + limit, unverified(source.checkpoint()).size)
        while at < end:
            leaves = source.entries(at, end)
            if not leaves:
                raise SourceFailed(f"Entry {at} is missing.")
            for number, leaf in enumerate(leaves, at):
                if not act or orjson.loads(leaf)["act"] == act:
                    typer.echo(orjson.dumps({"index": number, "leaf": leaf}).decode() if json else _line(number, leaf))
            at += len(leaves)


@log.command("prove")
def prove(
    context: typer.Context,
    index: Annotated[int | None, typer.Argument(min=0, help="the entry's place, from 0")] = None,
    url: Url = None,
    key: Key = None,
    database: DatabaseUrl = None,
    since: Annotated[int | None, typer.Option(min=0, help="so many entries were signed when you looked")] = None,
    out: Out = None,
) -> None:
    """Make a proof that stands alone: an entry, its path (C2SP tlog-proof), and the checkpoint it leads to.

    With --since SIZE, instead: that the log's newest signed tree began with that of SIZE, as
    /v1/log/proof/consistency tells it; no key is needed.
    """
    if (index is None) == (since is None):
        raise typer.BadParameter("give an entry's place, or --since a size, and not both")
    with _Told():
        source = _source(context, url, database, key)
        note = source.checkpoint()
        size = unverified(note).size
        if since is not None:
            _give(_growth(source, since, unverified(note)), out)
            return
        assert index is not None, "one of the two is given"
        if index >= size:
            raise typer.BadParameter(f"the log has {size} signed entries")
        _, path = source.inclusion(index, size)
        [leaf, *_] = source.entries(index, index + 1)
        proof = {"format": PROOF_FORMAT, "entry": leaf, "proof": Inclusion(index, tuple(path), note).told()}
        _give(orjson.dumps(proof).decode() + "\n", out)


@log.command("verify")
def verify(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="a proof of an entry or of a fork; else the log")] = None,
    url: Url = None,
    key: Key = None,
    database: DatabaseUrl = None,
    log_key: LogKey = None,
    since: Annotated[Path | None, typer.Option(help="a checkpoint that you kept and that must have grown")] = None,
    full: Annotated[bool, typer.Option(help="hash every entry's bytes again")] = False,
    fork: Annotated[Path | None, typer.Option(help="where to write the proof of a fork, if one is found")] = None,
    json: Json = False,
) -> None:
    """Verify a proof in a file, or the log: its signature, that it only grew, and with --full every entry."""
    with _Told(json):
        if file is not None:
            _verify_file(file, log_key, json)
            return
        if log_key is None:
            raise typer.BadParameter("--log-key says whose log it must be; get it from GET /v1/log once and keep it")
        from scripts.cli.log.checking import check

        older = None if since is None else since.read_text()
        found = check(_source(context, url, database, key), Verifier.parse(log_key), older_note=older, full=full)
        if found.fork is not None and fork is not None:
            fork.write_bytes(found.fork.to_json())
        answer = {
            "origin": found.checkpoint.origin,
            "size": found.checkpoint.size,
            "entries": found.entries,
            "older_size": None if found.older is None else found.older.size,
            "faults": found.faults,
            "fork": found.fork is not None,
        }
        whole = f", all {found.entries:,} entries hashed again" if full else ""
        before = "" if found.older is None else f", grown from the {found.older.size:,} that you kept"
        sentence = f"{found.checkpoint.origin}: {found.checkpoint.size:,} entries signed{before}{whole}."
        _say(answer, sentence if not found.faults else "\n".join(found.faults), json)
        code = FRAUD if found.fork else FAULTY if found.faults else HOLDS
    raise typer.Exit(code)


@log.command("forget")
def forget(
    member: Annotated[str, typer.Argument(help="mem_…: whose salt is to be destroyed")],
    database: Annotated[str, typer.Option("--database", envvar="MOA_DATABASE_URL")],
) -> None:
    """Destroy a member's salt: the hashes that stand for the member in the log mean nothing to anybody after that."""
    from api import audit_log
    from api.audit_log import names
    from api.kit.database import Database

    store = Database(database)
    with store.write() as session:
        there = names.forget(session.connection(), member)
        if there:
            audit_log.record(session.connection(), "salt.forgotten", actor="command/log-forget")
    store.close()
    typer.echo("The salt is destroyed." if there else "There was none.")


def witness(
    name: Annotated[str, typer.Option(envvar="MOA_WITNESS_NAME", help="your name, as witness.example/w1")],
    keystore: Annotated[Path, typer.Option(envvar="MOA_WITNESS_KEYSTORE", help="your key; made if there is none")],
    keystore_password: Annotated[str, typer.Option(envvar="MOA_WITNESS_PASSWORD", prompt=False)],
    state: Annotated[Path, typer.Option(help="your memory: the largest tree seen of each log")],
    url: Url = None,
    log_key: Annotated[
        list[str] | None, typer.Option("--log-key", envvar="MOA_LOG_KEY", help="the log's vkey, as you pinned it")
    ] = None,
    every: Annotated[float, typer.Option(min=0.1, help="seconds between two looks")] = 10.0,
    once: Annotated[bool, typer.Option(help="look once")] = False,
    show_key: Annotated[bool, typer.Option(help="print your vkey, for MOA_LOG_WITNESSES, and end")] = False,
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT: wait for logs to send their checkpoints, of any --log-key")
    ] = None,
) -> None:
    """Co-sign a gateway's log while it only grows; refuse, and name a fork, when it does not.

    It asks the gateway at --url; with --listen it is asked instead, by POST /add-checkpoint of C2SP's tlog-witness.
    """
    from chain.storage.keystore import open_or_create
    from scripts.cli.log.witness import Witness, follow

    with _Told():
        try:
            made = Witness.of(open_or_create(keystore, keystore_password), name=name, state=state)
            if show_key:
                typer.echo(made.signer.verifier.vkey)
                return
            logs = [Verifier.parse(one) for one in log_key or ()]
            if listen is not None and url is None and logs:
                _listen(made, logs, listen)
                return
            if url is None or listen is not None or len(logs) != 1:
                raise typer.BadParameter("--url says where the log is and --log-key whose it must be, or --listen")
            for cosigned in follow(made, logs[0], url, every_s=every, once=once):
                seen = unverified(cosigned)
                typer.echo(f"co-signed {seen.origin} at {seen.size:,} entries")
        except (ChainError, WitnessBusy, MemoryUnreadable) as fault:
            typer.echo(str(fault), err=True)
            raise typer.Exit(MISUSED) from None


def _listen(made: Witness, logs: list[Verifier], listen: str) -> None:
    from scripts.cli.log.witness_server import application, serve

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise typer.BadParameter("--listen is HOST:PORT")
    serve(application(made, logs), host.strip("[]"), int(port), begun=lambda at: typer.echo(f"listening at {at}"))


@log.command("submit")
def submit(
    witness_url: Annotated[str, typer.Option("--witness", help="a witness's submission prefix, as https://…")],
    url: Url = None,
) -> None:
    """Send the newest checkpoint to a witness (C2SP's tlog-witness), and its line to the gateway."""
    import httpx

    from scripts.cli.log.sources import TIMEOUT_S, HttpLog
    from scripts.cli.log.submitting import submitted

    with _Told():
        if url is None:
            raise typer.BadParameter("--url says where the log is")
        source = HttpLog(url)
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            cosigned = submitted(source, witness_url, client)
        source.cosign(cosigned)
        typer.echo(cosigned, nl=False)


def _told_checkpoint(seen: Checkpoint, note: str, *, verified: bool) -> dict[str, Any]:
    """What a checkpoint says, as JSON values."""
    block = seen.block
    return {
        "origin": seen.origin,
        "size": seen.size,
        "root": encode(seen.root),
        "block": None if block is None else {"chain_id": block.chain_id, "number": block.number, "hash": block.hash},
        "verified": verified,
        "note": note,
    }


def _growth(source: Source, old: int, newest: Checkpoint) -> str:
    """A consistency proof in the words of the gateway's route; one that does not lead to the root is not handed out."""
    if old > newest.size:
        raise typer.BadParameter(f"the log has {newest.size} signed entries")
    old_root, proof = source.consistency(old, newest.size)
    verify_consistency(old, newest.size, proof, old_root, newest.root)
    told = {
        "old": old,
        "size": newest.size,
        "proof": list(map(encode, proof)),
        "old_root": encode(old_root),
        "root": encode(newest.root),
    }
    return orjson.dumps(told).decode() + "\n"


def _verify_file(file: Path, log_key: str | None, as_json: bool) -> None:
    raw = file.read_bytes()[: FILE_BYTES_MAX + 1]
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise NoteMalformed(f"{file.name} is not a proof.") from None
    trusted = None if log_key is None else Verifier.parse(log_key)
    form = told.get("format") if isinstance(told, dict) else None
    if form == FORK_FORMAT:
        sentence = Fork.from_json(raw).check(trusted)
        _say({"fork": True, "sentence": sentence}, f"Proof of fraud: {sentence}", as_json)
        raise typer.Exit(FRAUD)
    if form != PROOF_FORMAT or not isinstance(told.get("entry"), str) or not isinstance(told.get("proof"), str):
        raise NoteMalformed(f"{file.name} is neither {PROOF_FORMAT} nor {FORK_FORMAT}.")
    if trusted is None:
        raise typer.BadParameter("--log-key says whose log it must be")
    proof = Inclusion.parse(told["proof"])
    seen = proof.verify(told["entry"].encode(), trusted)
    answer = {"index": proof.index, "size": seen.size, "origin": seen.origin, "entry": told["entry"]}
    _say(answer, f"Entry {proof.index} of {seen.origin} ({seen.size:,} signed): {told['entry']}", as_json)


def _source(context: typer.Context, url: str | None, database: str | None, key: str | None = None) -> Source:
    if url is not None and database is not None:
        # What stands on the command line is meant; what stands in the environment is meant for other commands too.
        spoken = [name for name in ("url", "database") if _on_command_line(context, name)]
        if len(spoken) == 1:
            url, database = (url, None) if spoken == ["url"] else (None, database)
    if (url is None) == (database is None):
        raise typer.BadParameter("name the log by --url or by --database")
    from scripts.cli.log.sources import DatabaseLog, HttpLog

    return HttpLog(url, key) if url is not None else DatabaseLog(str(database))


def _on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


class _Told:
    """What goes wrong is one sentence and a code, never a trace."""

    def __init__(self, as_json: bool = False) -> None:
        self._json = as_json

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: Any) -> None:
        if isinstance(fault, SourceFailed | OSError):
            self._end(fault, UNREAD)
        if isinstance(fault, LogForked):
            self._end(fault, FRAUD)
        if isinstance(fault, TlogError):
            self._end(fault, FAULTY)

    def _end(self, fault: BaseException, code: int) -> None:
        if self._json:
            typer.echo(orjson.dumps({"error": type(fault).__name__, "detail": str(fault)}).decode())
        else:
            typer.echo(str(fault), err=True)
        raise typer.Exit(code) from None


def _line(number: int, leaf: str) -> str:
    told = orjson.loads(leaf)
    detail = " ".join(f"{name}={value}" for name, value in told["detail"].items())
    return f"{number:>8}  {told['at']}  {told['act']:<16} {told['actor']}  {told['subject']}  {detail}"


def _say(answer: dict[str, Any], sentence: str, as_json: bool) -> None:
    typer.echo(orjson.dumps(answer).decode() if as_json else sentence)


def _give(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text)


__all__ = ["log", "witness"]
