"""The commands; the one place where the process's errors are caught and become exit codes."""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from heygemd import __version__, heap, log
from heygemd.errors import FatalError, GpuLostError, HeygemdError
from heygemd.settings import Settings, load

_CONFIG = "--config /etc/heygemd/config.toml"  # where make install puts it
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 64
_EPILOG = """\
exit codes: 0 done, 1 some clips or jobs failed, 64 wrong usage, 69 something is missing,
74 the spool is broken, 75 try again later, 78 wrong settings or model
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    # On a descriptor of its own: libraries are hushed by redirecting 2 while they load.
    faulthandler.enable(os.dup(2))
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as exit_:  # argparse says 2, sysexits.h says 64
        return EXIT_USAGE if exit_.code else EXIT_OK
    try:
        return int(arguments.command(arguments))
    except FatalError as error:
        _say_fatal(error, is_daemon=arguments.command in {_run, _once})
        return error.exit_code
    except HeygemdError as error:
        print(f"heygemd: {error} [{error.reason}]", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def _say_fatal(error: FatalError, *, is_daemon: bool) -> None:
    """The last line: in the log where there is one, in words for a person elsewhere."""
    if not is_daemon:
        print(f"heygemd: {error} [{error.reason}]", file=sys.stderr)
        return
    if not log.is_configured():  # the settings themselves were wrong
        log.configure()
    log.log.error("daemon.failed", code=error.reason, message=str(error), exit_code=error.exit_code)
    if isinstance(error, GpuLostError):
        # A poisoned CUDA context may abort the process while it is taken down: leave at once.
        sys.stderr.flush()
        os._exit(error.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heygemd",
        description="Lip-sync many videos to one voice.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"heygemd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    settings = _settings_parser()

    for name, what, command in (
        ("init", "make the folders, and mark the shares", _init),
        ("run", "work until told to stop", _run),
        ("once", "do what is ready, then exit", _once),
    ):
        plain = commands.add_parser(
            name, parents=[settings], help=what, epilog=f"example: heygemd {name} {_CONFIG}"
        )
        plain.set_defaults(command=command)
    _add_render(commands, settings)
    demo = commands.add_parser(
        "demo",
        help="lip-sync a small job of built-in media",
        epilog="example: heygemd demo --out demo-out",
    )
    demo.add_argument("--out", type=Path, default=Path("heygemd-demo"), help="a folder to make")
    demo.set_defaults(command=_demo)
    check = commands.add_parser(
        "check",
        parents=[settings],
        help="is everything in place? says what to do about what is not",
        epilog=f"example: sudo -u heygem heygemd check {_CONFIG}",
    )
    check.add_argument("--json", action="store_true", help="for machines")
    check.set_defaults(command=_check)
    _add_fsck(commands, settings)
    _add_status(commands, settings)
    _add_jobs(commands, settings)
    _add_models(commands, settings)
    _add_config(commands, settings)
    return parser


def _settings_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, as TOML")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="one setting, e.g. model.device=cpu; beats file and environment",
    )
    return parser


def _add_render(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    settings: argparse.ArgumentParser,
) -> None:
    render = commands.add_parser(
        "render",
        parents=[settings],
        help="lip-sync videos to a voice, here and now",
        epilog="example: heygemd render lesson.wav anna.mp4 ben.mp4 --out finished",
    )
    render.add_argument("audio", type=Path, metavar="AUDIO")
    render.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    render.add_argument(
        "-o", "--out", type=Path, required=True, metavar="DIR", help="where results go"
    )
    render.add_argument("--model", metavar="NAME", help="same as --set model.name=NAME")
    render.add_argument("--device", metavar="D", help="same as --set model.device=D")
    render.set_defaults(command=_render)


def _add_fsck(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    settings: argparse.ArgumentParser,
) -> None:
    fsck = commands.add_parser(
        "fsck",
        parents=[settings],
        help="does the spool keep its promises? exit code 1 when it does not",
        epilog=f"example: systemctl stop heygemd && heygemd fsck --repair {_CONFIG}",
    )
    fsck.add_argument(
        "--repair", action="store_true", help="mend it, without ever deleting outputs or inputs"
    )
    fsck.add_argument("--json", action="store_true", help="for machines")
    fsck.set_defaults(command=_fsck)


def _add_status(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    settings: argparse.ArgumentParser,
) -> None:
    status = commands.add_parser(
        "status",
        parents=[settings],
        help="what is waiting, in work and done; needs no daemon",
        epilog=f"example: heygemd status --watch {_CONFIG}",
    )
    shape = status.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="for machines")
    shape.add_argument("--watch", action="store_true", help="keep showing, until Ctrl-C")
    status.set_defaults(command=_status)


def _add_jobs(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    settings: argparse.ArgumentParser,
) -> None:
    jobs = commands.add_parser("jobs", help="look at jobs, do them again, cancel them")
    actions = jobs.add_subparsers(required=True, metavar="ACTION", title="actions")
    listed = actions.add_parser(
        "list",
        parents=[settings],
        help="every job that is remembered",
        epilog=f"example: heygemd jobs list --json {_CONFIG}",
    )
    listed.add_argument("--json", action="store_true", help="for machines")
    listed.set_defaults(command=_jobs_list)
    for name, what, command in (
        ("show", "one job and its clips", _jobs_show),
        ("retry", "do the failed clips of a closed job again", _jobs_retry),
        ("cancel", "give up the clips that are left, after the one in hand", _jobs_cancel),
    ):
        action = actions.add_parser(
            name,
            parents=[settings],
            help=what,
            epilog=f"example: heygemd jobs {name} lesson-12 {_CONFIG}",
        )
        action.add_argument("job", metavar="JOB", help="its id, the id's beginning, or its name")
        if name == "show":
            action.add_argument("--json", action="store_true", help="for machines")
        action.set_defaults(command=command)


def _add_config(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    settings: argparse.ArgumentParser,
) -> None:
    config = commands.add_parser("config", help="the settings in force")
    actions = config.add_subparsers(required=True, metavar="ACTION", title="actions")
    show = actions.add_parser(
        "show",
        parents=[settings],
        help="every setting, its value and where it came from",
        epilog=f"example: heygemd config show {_CONFIG}",
    )
    show.add_argument("--json", action="store_true", help="for machines")
    show.set_defaults(command=_config_show)


def _add_models(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    settings: argparse.ArgumentParser,
) -> None:
    models = commands.add_parser("models", help="lip model checkpoints")
    actions = models.add_subparsers(required=True, metavar="ACTION", title="actions")
    listed = actions.add_parser(
        "list",
        parents=[settings],
        help="what is installed",
        epilog=f"example: heygemd models list {_CONFIG}",
    )
    listed.set_defaults(command=_models_list)
    add = actions.add_parser(
        "add",
        parents=[settings],
        help="check a checkpoint and keep a safe copy",
        epilog="example: heygemd models add ~/Downloads/wav2lip_gan.pth",
    )
    add.add_argument("path", type=Path, metavar="PATH")
    add.set_defaults(command=_models_add)
    export = actions.add_parser(
        "export",
        help="write a checkpoint in ONNX beside it, for model.backend",
        epilog="example: heygemd models export models/wav2lip_gan-1a2b3c4d.safetensors",
    )
    export.add_argument("path", type=Path, metavar="PATH")
    export.set_defaults(command=_models_export)
    verify = actions.add_parser(
        "verify",
        parents=[settings],
        help="compare with the sha256s",
        epilog=f"example: heygemd models verify {_CONFIG}",
    )
    verify.set_defaults(command=_models_verify)


def _load(arguments: argparse.Namespace, extra: Sequence[str] = ()) -> Settings:
    return load(arguments.config, overrides=[*arguments.overrides, *extra])


# Heavy imports (torch, mediapipe) stay inside the commands: --help must not take seconds.


def _run(arguments: argparse.Namespace) -> int:
    with heap.settled():
        from heygemd import assembly  # noqa: PLC0415

    return assembly.run(_load(arguments), lambda: _load(arguments))


def _once(arguments: argparse.Namespace) -> int:
    with heap.settled():
        from heygemd import assembly  # noqa: PLC0415

    return assembly.once(_load(arguments))


def _render(arguments: argparse.Namespace) -> int:
    with heap.settled():
        from heygemd import single  # noqa: PLC0415

    extra = [f"model.name={arguments.model}"] if arguments.model else []
    extra += [f"model.device={arguments.device}"] if arguments.device else []
    return single.render(arguments.audio, arguments.videos, arguments.out, _load(arguments, extra))


def _demo(arguments: argparse.Namespace) -> int:
    with heap.settled():
        from heygemd import demo  # noqa: PLC0415

    return demo.run(arguments.out)


def _init(arguments: argparse.Namespace) -> int:
    from heygemd import init  # noqa: PLC0415

    return init.run(_load(arguments))


def _fsck(arguments: argparse.Namespace) -> int:
    from heygemd import fsck  # noqa: PLC0415

    return fsck.run(_load(arguments), repair=arguments.repair, as_json=arguments.json)


def _check(arguments: argparse.Namespace) -> int:
    with heap.settled():
        from heygemd import check  # noqa: PLC0415

    return check.run(_load(arguments), as_json=arguments.json)


def _status(arguments: argparse.Namespace) -> int:
    from heygemd import status  # noqa: PLC0415

    return status.run(_load(arguments), as_json=arguments.json, watch=arguments.watch)


def _jobs_list(arguments: argparse.Namespace) -> int:
    from heygemd import jobs  # noqa: PLC0415

    return jobs.show_all(_load(arguments), as_json=arguments.json)


def _jobs_show(arguments: argparse.Namespace) -> int:
    from heygemd import jobs  # noqa: PLC0415

    return jobs.show(_load(arguments), arguments.job, as_json=arguments.json)


def _jobs_retry(arguments: argparse.Namespace) -> int:
    from heygemd import jobs  # noqa: PLC0415

    return jobs.retry(_load(arguments), arguments.job)


def _jobs_cancel(arguments: argparse.Namespace) -> int:
    from heygemd import jobs  # noqa: PLC0415

    return jobs.cancel(_load(arguments), arguments.job)


def _config_show(arguments: argparse.Namespace) -> int:
    from heygemd import effective  # noqa: PLC0415

    loaded, overrides = _load(arguments), arguments.overrides
    return effective.show(loaded, arguments.config, overrides, as_json=arguments.json)


def _models_list(arguments: argparse.Namespace) -> int:
    from heygemd import shelf  # noqa: PLC0415

    return shelf.show(_load(arguments))


def _models_add(arguments: argparse.Namespace) -> int:
    from heygemd import shelf  # noqa: PLC0415

    return shelf.add(arguments.path, _load(arguments))


def _models_export(arguments: argparse.Namespace) -> int:
    from heygemd import shelf  # noqa: PLC0415

    return shelf.export(arguments.path)


def _models_verify(arguments: argparse.Namespace) -> int:
    from heygemd import shelf  # noqa: PLC0415

    return shelf.verify(_load(arguments))
