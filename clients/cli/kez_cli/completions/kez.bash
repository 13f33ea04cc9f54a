# Completion of kez for bash: eval "$(kez completion bash)", or installed where bash-completion looks.

_kez() {
    local line=${COMP_LINE:0:COMP_POINT} rest word i
    local current=${line##*[[:space:]]} words=()
    # bash has broken the line at @, : and =, which handles and keys hold: pieces that touch are one word again.
    rest=$line
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -gt 0 && $rest != [[:space:]]* ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#"${rest%%[![:space:]]*}"}
        rest=${rest#"$word"}
    done
    words[${#words[@]} - 1]=$current

    local answer=()
    while IFS= read -r word; do
        answer+=("$word")
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    # bash replaces only what stands behind the last of its breaks, and an @ belongs to what follows it.
    local behind=${current##*[@:=]}
    local before=${current%"$behind"}
    [[ $before == *@ ]] && before=${before%@} behind=@$behind
    COMPREPLY=()
    case ${answer[0]} in
        files | dirs)
            compopt -o filenames 2>/dev/null
            local what=-f
            [[ ${answer[0]} == dirs ]] && what=-d
            while IFS= read -r word; do
                COMPREPLY+=("$word")
            done < <(compgen "$what" -- "$behind")
            ;;
        words)
            for word in "${answer[@]:1}"; do
                word=${word%%$'\t'*}
                COMPREPLY+=("${word#"$before"}")
            done
            ;;
    esac
}
complete -F _kez kez
