"""Options that several actions have: where entries lie, whose a result is, and of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    import argparse

    from leaderboard.board import Board
    from leaderboard.card import MethodCard
    from leaderboard.entry import Entry, Task

__all__ = [
    "add_board",
    "add_card",
    "add_entries",
    "add_task",
    "board_of",
    "boards_of",
    "card_of",
    "entries_of",
    "task_of",
]

_TASK = ("dataset", "part", "annotation", "protocol")


def add_entries(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where entries are read from; `entries_of` reads them."""
    parser.add_argument(
        "--entries",
        action="append",
        default=[],
        metavar="DIR",
        help="folder of entries, as `mitobench leaderboard add` fills it; may be given several times (default: the "
        "entries that ship with mitobench)",
    )
    parser.add_argument(
        "--published", action="store_true", help="with --entries: also the published results that ship with mitobench"
    )


def entries_of(args: argparse.Namespace) -> tuple[Entry, ...]:
    """Return the entries of all folders that were named, or those that ship with the package."""
    from leaderboard.store import SHIPPED, load_entries

    shipped = [SHIPPED] if args.published or not args.entries else []
    return load_entries(*shipped, *args.entries)


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose among the boards of the entries; `boards_of` and `board_of` read them."""
    parser.add_argument("--rule", metavar="LABEL", help="only entries of this rule (default: of every rule)")
    parser.add_argument("--task", metavar="LABEL", help='only of this task, such as "MitoEM test, annotation v2"')


def boards_of(args: argparse.Namespace) -> tuple[Board, ...]:
    """Return the boards that were asked for, at least one.

    Raises
    ------
    InvalidInputError
        There are no entries, or none of this rule and task together.
    UnknownNameError
        There are none of this rule or none of this task.
    """
    from leaderboard.board import boards

    found = boards(entries_of(args))
    if not found:
        raise InvalidInputError("there are no entries yet; `mitobench leaderboard add` puts some into a folder")
    _check_label("rule", args.rule, [board.rule for board in found])
    _check_label("task", args.task, [board.task.label for board in found])
    chosen = [board for board in found if args.rule in {None, board.rule} and args.task in {None, board.task.label}]
    if not chosen:
        raise InvalidInputError(f"no entries of rule {args.rule!r} and task {args.task!r}; leave one of them out")
    return tuple(chosen)


def board_of(args: argparse.Namespace) -> Board:
    """Return the one board that was asked for.

    Raises
    ------
    InvalidInputError
        There are several, or as `boards_of`.
    UnknownNameError
        As `boards_of`.
    """
    found = boards_of(args)
    if len(found) > 1:
        which = "; ".join(f'--rule "{board.rule}" --task "{board.task.label}"' for board in found)
        raise InvalidInputError(f"the entries are of {len(found)} leaderboards; choose one: {which}")
    return found[0]


def _check_label(what: str, label: str | None, known: list[str]) -> None:
    if label is not None and label not in known:
        allowed = "; ".join(dict.fromkeys(known))
        raise UnknownNameError(f"no entries of {what} {label!r}{did_you_mean(label, known)}; there are: {allowed}")


def add_card(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whose a result is; `card_of` reads them."""
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--card", metavar="FILE", help='TOML file about the method: method = "...", team = "..." ...')
    whose.add_argument("--method", metavar="NAME", help="name of the method, in place of a card")


def card_of(args: argparse.Namespace) -> MethodCard | None:
    """Return the card that was named; None without one."""
    from leaderboard.card import MethodCard

    if args.card is not None:
        return MethodCard.from_toml(args.card)
    return None if args.method is None else MethodCard(method=args.method)


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what was segmented; `task_of` reads them."""
    task = parser.add_argument_group("task")
    task.add_argument("--dataset", metavar="NAME", help="(default MitoEM)")
    task.add_argument("--part", metavar="NAME", help="of the data set, such as val (default test)")
    task.add_argument("--annotation", metavar="NAME", help="version of the ground truth (default v2)")
    task.add_argument("--protocol", metavar="NAME", help="which labels the method was allowed to see (default full)")


def task_of(args: argparse.Namespace) -> Task:
    """Return what was segmented; the test part of MitoEM unless said otherwise."""
    from leaderboard.entry import Task

    return Task(**{name: getattr(args, name) for name in _TASK if getattr(args, name) is not None})
