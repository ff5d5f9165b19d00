# Completion of rekey(1) for bash. It reads commands, options and values from the output of `rekey help`, so that it always
# fits the command that is installed.

_rekey() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local rekey=${COMP_WORDS[0]/#\~/$HOME} commands='' topics='' command='' options='' argument='' line word i
    # "  rekey COMMAND   text" and "  rekey help TOPIC   text"; "  rekey help COMMAND TOPIC   text"; "  -o, --option ARGUMENT   text"
    local verb='^  rekey (help )?([a-z-]+)' page='^  rekey help [a-z-]+ ([a-z-]+)'
    local option='^  ((-[a-zA-Z]), )?(--[a-z-]+)( ([^ ]+))?'

    while IFS= read -r line; do
        [[ $line =~ $verb && $line != *COMMAND* ]] || continue
        [[ -n ${BASH_REMATCH[1]} ]] && topics+=" ${BASH_REMATCH[2]}" || commands+=" ${BASH_REMATCH[2]}"
    done < <("$rekey" help 2>/dev/null)
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ -n $word && " $commands help " == *" $word "* ]] && command=${command:-$word}
    done

    # The options of the command, from its page and the pages that it names; without a command, the general options.
    local pages=("$command output")
    [[ -n $command && $command != help ]] && pages=("$command")
    for ((i = 0; i < ${#pages[@]}; i++)); do
        while IFS= read -r line; do
            if [[ $line =~ $page ]]; then
                pages+=("$command ${BASH_REMATCH[1]}")
            elif [[ $line =~ $option ]]; then
                options+=" ${BASH_REMATCH[3]}"
                if [[ $previous == "${BASH_REMATCH[3]}" || $previous == "${BASH_REMATCH[2]:-none}" ]]; then
                    argument=${BASH_REMATCH[5]}
                fi
            fi
        done < <(read -ra words <<<"help ${pages[i]#help }" && "$rekey" "${words[@]}" 2>/dev/null)
    done

    case $previous:$argument in
    --auth:?*) argument='token secret certificate workload arc imds' ;;
    *'|'*) argument=${argument//|/ } ;;
    *:FILE | *:PROGRAM | *:DIR)
        compopt -o filenames 2>/dev/null || : # it fails outside of a completion
        [[ $argument == DIR ]] && line=-d || line=-f
        mapfile -t COMPREPLY < <(compgen "$line" -- "$current")
        return
        ;;
    *:GROUP) mapfile -t COMPREPLY < <(compgen -g -- "$current"); return ;;
    *:?*) return ;;
    *)
        case $current:$command in
        -*) argument=$options ;;
        *:) argument="$commands help" ;;
        *:help) argument="$commands $topics" ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$argument" -- "$current")
}
complete -F _rekey rekey
