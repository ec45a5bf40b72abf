"""`orchestrator completion bash|zsh|fish`."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from orchestrator.cli.commands import parser
from orchestrator.cli.output import GOOD, echo_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BASH = """\
_orchestrator() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
  case "${{COMP_WORDS[1]}} $before" in
{values}
    *) case "$COMP_CWORD ${{COMP_WORDS[1]}}" in
      1\\ *) words={commands} ;;
{options}
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _orchestrator orchestrator
"""


def run(arguments: argparse.Namespace) -> int:
    """Print the script for a shell, made from the parser of the command line."""
    found = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    commands: Mapping[str, argparse.ArgumentParser] = found.choices
    words = {choice.dest: choice.help or "" for choice in found._choices_actions}
    if arguments.shell == "fish":
        text = "\n".join(_fish(commands, words))
    else:
        text = _bash(commands)
        if arguments.shell == "zsh":
            text = f"autoload -U +X bashcompinit && bashcompinit\n{text}"
    echo_result(arguments, {"shell": arguments.shell, "script": text}, text.splitlines())
    return GOOD


def _bash(commands: Mapping[str, argparse.ArgumentParser]) -> str:
    values: list[str] = []
    options: list[str] = []
    for name, command in commands.items():
        offered: list[str] = []
        for action in command._actions:
            choices = _choices(action)
            offered += action.option_strings or choices
            words = shlex.quote(" ".join(choices))
            values += [
                f'    "{name} {o}") words={words} ;;' for o in action.option_strings if choices
            ]
        options.append(f'      *\\ {name}) words="{" ".join(offered)}" ;;')
    return _BASH.format(
        values="\n".join(values), options="\n".join(options),
        commands=shlex.quote(" ".join(commands)),
    )  # fmt: skip


def _fish(
    commands: Mapping[str, argparse.ArgumentParser], words: Mapping[str, str]
) -> Iterator[str]:
    for name, command in commands.items():
        said = shlex.quote(words[name])
        yield f"complete -c orchestrator -n __fish_use_subcommand -f -a {name} -d {said}"
        for action in command._actions:
            where = f"complete -c orchestrator -n '__fish_seen_subcommand_from {name}'"
            choices = " ".join(_choices(action))
            names = [f"-l {o[2:]}" if o.startswith("--") else f"-s {o[1:]}"
                     for o in action.option_strings]  # fmt: skip
            given = f" -x -a '{choices}'" if choices else " -r" if action.nargs != 0 else ""
            if names or choices:
                yield f"{where} {' '.join(names)}{given}"


def _choices(action: argparse.Action) -> list[str]:
    found: Any = action.choices
    return [str(choice) for choice in found or ()]
