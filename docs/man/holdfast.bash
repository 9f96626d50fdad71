# SPDX-License-Identifier: Apache-2.0
# Completion of holdfast @VERSION@ for bash, made from the program's table of commands.

# Sets next, options and argument to what may follow the command's words in $1.
_holdfast_table()
{
    next='' options='' argument=''
    case $1 in
@completion
    esac
}

# The names of the sources in the configuration $1, or in that which holdfast would take.
_holdfast_sources()
{
    local name
    for name in "$1" "${HOLDFAST_CONFIG-}" "${XDG_CONFIG_HOME:-$HOME/.config}/holdfast/holdfast.conf" \
        /etc/holdfast/holdfast.conf; do
        if [[ -n $name && -r $name ]]; then
            sed -n 's/^[[:blank:]]*\[[[:blank:]]*source[[:blank:]]\{1,\}\([a-z0-9_-]*\)[[:blank:]]*\].*/\1/p' "$name"
            return
        fi
    done
}

# The ids in a list that holdfast prints: holdfast $2..., with the configuration $1.
_holdfast_ids()
{
    local config=$1
    shift
    holdfast "$@" --json ${config:+--config "$config"} 2>/dev/null | sed -n 's/^ \{0,4\}"id": "\([^"]*\)".*/\1/p'
}

_holdfast()
{
    # Bash cuts words at "=", so that --source=x comes as three.
    local current=${COMP_WORDS[COMP_CWORD]#=} words='' config='' kind='' wanted=''
    local next options argument option word i
    local IFS=$' \t\n'
    _holdfast_table ''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $wanted ]]; then
            [[ $word != '=' ]] || continue
            [[ $wanted != --config ]] || config=$word
            wanted='' kind=''
        elif [[ $word == --* ]]; then
            for option in $options --config=file; do
                [[ $option != "$word="* ]] || wanted=$word kind=${option#*=}
            done
        elif [[ -n $next && $word != -* ]]; then
            words=${words:+$words }$word
            _holdfast_table "$words"
        fi
    done
    if [[ -n $wanted ]]; then
        next=''
    elif [[ $current == -* ]]; then
        next='' kind=''
        for option in ${options:---help --version}; do
            next+="${option%%=*} "
        done
    else
        kind=$argument
    fi
    IFS=$'\n'
    case $kind in
        file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); return ;;
        directory) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); return ;;
        form) compopt -o nospace 2>/dev/null; next='passphrase-file= key-file= command=' ;;
        source) next=$(_holdfast_sources "$config") ;;
        backup) next=$(_holdfast_ids "$config" list backups) ;;
        job) next=$(_holdfast_ids "$config" job list) ;;
    esac
    IFS=$' \t\n'
    COMPREPLY=($(compgen -W "$next" -- "$current"))
}
complete -F _holdfast holdfast
