# Completion of rekey(1) for bash. Commands, options and their values are read out of `rekey --help`, so that this cannot
# say anything else than the command that is installed.

_rekey() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local line argument='' verbs='' options='' part=verbs
    # "  rekey VERB ...", then "Options", then "  -o, --option ARGUMENT   text"
    local verb='^  rekey ([a-z-]+)' option='^ +((-[a-zA-Z]), )?(--[a-z-]+)( ([^ ]+))?'

    while IFS= read -r line; do
        case $part:$line in
        verbs:Options*) part=options ;;
        verbs:*) [[ $line =~ $verb ]] && verbs+=" ${BASH_REMATCH[1]}" ;;
        options:) break ;;
        *)
            [[ $line =~ $option ]] || continue
            options+=" ${BASH_REMATCH[3]}"
            if [[ $previous == "${BASH_REMATCH[3]}" || $previous == "${BASH_REMATCH[2]:-none}" ]]; then
                argument=${BASH_REMATCH[5]}
            fi
            ;;
        esac
    done < <("${COMP_WORDS[0]/#\~/$HOME}" --help 2>/dev/null)

    case $previous:$argument in
    --auth:*) argument='token secret certificate workload arc imds' ;;
    *'|'*) argument=${argument//|/ } ;;
    *:FILE | *:PROGRAM | *:DIR)
        compopt -o filenames 2>/dev/null || : # outside of a completion it is an error
        [[ $argument == DIR ]] && line=-d || line=-f
        mapfile -t COMPREPLY < <(compgen "$line" -- "$current")
        return
        ;;
    *:GROUP) mapfile -t COMPREPLY < <(compgen -g -- "$current"); return ;;
    *:?*) return ;;
    *) [[ $current == -* ]] && argument=$options || argument=$verbs ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$argument" -- "$current")
}
complete -F _rekey rekey
