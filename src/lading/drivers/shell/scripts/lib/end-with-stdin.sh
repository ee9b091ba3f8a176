# A script that only looks ends with its stdin: whoever sent it is gone then, or wants no more.

# end_with_stdin: from now on nobody else reads stdin, whose end ends all that this script runs
end_with_stdin() {
    exec 3<&0
    (
        while read -r _; do :; done <&3
        kill -TERM 0
    ) 9>&- >/dev/null 2>&1 &
    watcher=$!
}
