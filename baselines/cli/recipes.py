"""``mitobench baseline list`` and ``show``: which recipes there are, and every value of one with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run_list", "run_show"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both actions."""
    listing = subparsers.add_parser("list", help="the recipes that come with mitobench")
    listing.set_defaults(run=run_list)
    show = subparsers.add_parser("show", help="print a recipe: every value, and where it comes from")
    show.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a TOML file")
    show.set_defaults(run=run_show)


def run_list(_args: argparse.Namespace) -> int:
    """Print name and description of each recipe."""
    from baselines.recipe import list_recipes, load_recipe

    names = list_recipes()
    for name in names:
        print(f"{name:<{max(map(len, names))}}  {load_recipe(name).description}")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Print the file of a recipe once it has proved to be one."""
    from baselines.recipe import load_recipe, recipe_text

    load_recipe(args.recipe)
    print(recipe_text(args.recipe), end="")
    return 0
