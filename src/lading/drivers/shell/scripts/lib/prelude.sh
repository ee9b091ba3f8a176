# What every script begins with. MARKER announces the parts of the answer; APP is the app's name, or empty.

set -u
LC_ALL=C
export LC_ALL
of_app="label=com.docker.compose.project=${APP:-}"
newline='
'

# part NAME: what follows on stdout is this part of the answer
part() {
    printf '\n%s %s\n' "$MARKER" "$1"
}

# finish: the answer is whole
finish() {
    hush
    part end
    exit 0
}

# hush: nobody else writes into the answer any more, or ends this script
hush() {
    [ -n "${watcher:-}" ] || return 0
    # No TERM: of a watcher that has just begun the trap of this shell may take it, and then it is waited for in vain
    kill -KILL "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    watcher=
}

# refuse KIND [LINE…]: nothing more is done, and the answer says why
refuse() {
    hush
    [ -z "${held:-}" ] || outlast_controller
    part refused
    printf '%s\n' "$@"
    part end
    exit 40
}
