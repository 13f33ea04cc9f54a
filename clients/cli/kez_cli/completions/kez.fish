# Completion of kez for fish: ~/.config/fish/completions/kez.fish

function __kez_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    set -l kind $answer[1]
    switch "$kind"
        case files dirs
            set -l before (string match -r -- '^--[^=]*=' "$current")
            set -l behind (string replace -r -- '^--[^=]*=' '' "$current")
            if test "$kind" = dirs
                __fish_complete_directories "$behind" ''
            else
                __fish_complete_path "$behind" ''
            end | string replace -r '^' -- "$before"
        case words
            for line in $answer[2..-1]
                echo $line
            end
    end
end

complete -c kez -f -a '(__kez_complete)'
