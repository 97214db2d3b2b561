"""`fastbox completion`: the scripts with which shells ask `fastbox __complete`."""

from __future__ import annotations

from fastbox.cli._arguments import Given, Parser

BASH = r"""# bash completion of fastbox: source <(fastbox completion bash)
_fastbox() {
    local line=${COMP_LINE:0:COMP_POINT} word part word_text
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[-1]}
    # Bash takes what stands after = or : for a word of its own.
    part=
    [[ $word == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]] && part=${word%"${word##*[=:]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r word_text _; do
        COMPREPLY+=("${word_text#"$part"}")
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=:] ]] && compopt -o nospace
}
complete -F _fastbox fastbox
"""

ZSH = r"""#compdef fastbox
# zsh completion of fastbox: source <(fastbox completion zsh)
_fastbox() {
    local line
    local -a found ends goes
    found=("${(@f)$(${(Q)words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $found; do
        [[ -n $line ]] || continue
        local word=${line%%$'\t'*} text=${line#*$'\t'}
        line=${word//:/\\:}:$text
        if [[ $word == *[/=:] ]]; then goes+=("$line"); else ends+=("$line"); fi
    done
    (( $#ends )) && _describe fastbox ends
    (( $#goes )) && _describe fastbox goes -S ''
}
compdef _fastbox fastbox
"""

FISH = r"""# fish completion of fastbox: fastbox completion fish | source
function __fastbox_complete
    set -l before (commandline -opc)
    $before[1] __complete $before[2..-1] (commandline -ct) 2>/dev/null
end
complete -c fastbox -f -a '(__fastbox_complete)'
"""

SCRIPTS = {"bash": BASH, "fish": FISH, "zsh": ZSH}


def completion_parser() -> Parser:
    """The shell."""
    text = (
        "Print a shell's completion of this command.\n\n"
        "  bash  source <(fastbox completion bash)    in ~/.bashrc\n"
        "  zsh   source <(fastbox completion zsh)     in ~/.zshrc, after compinit\n"
        "  fish  fastbox completion fish | source     in ~/.config/fish/config.fish"
    )
    parser = Parser("completion", "SHELL", text)
    parser.add_argument("shell", metavar="SHELL", choices=sorted(SCRIPTS))
    return parser


def completion_command(given: Given) -> int:
    """The script on stdout."""
    print(SCRIPTS[given.shell], end="")
    return 0
