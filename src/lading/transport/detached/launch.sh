# Start a command in a session of its own, with what stands after this text as its stdin, and answer as its first poll.
# HOME_DIR: the session's folder; NUMBER: the command's folder there; POLL, RUN: texts for files in that; OFFSET, SUM: where the
# input begins in this file, and its sum.
# All of it is a function that is called in the last line: nothing is done before that has been read.
main() {
    mask=$(umask)
    umask 077
    LC_ALL=C
    export LC_ALL
    directory=${1:-$(pwd)}
    exec 3<"$0" || exit 42
    # In this order: what is asked is the folder that we are in, and who put it there cannot change it any more.
    # shellcheck disable=SC3067 # dash and BusyBox know -O
    { cd "$HOME_DIR" 2>/dev/null && [ -O . ]; } || exit 45
    mkdir "$NUMBER" || exit 41
    trap 'rm -rf "$NUMBER"; exit 42' EXIT
    set -e
    tail -c "+$OFFSET" <&3 >"$NUMBER/input"
    exec 3<&-
    case $(sha256sum <"$NUMBER/input") in
    "$SUM"*) ;;
    *) exit 42 ;;
    esac
    printf %s "$POLL" >"$NUMBER/poll"
    printf %s "$RUN" >"$NUMBER/run"
    set +e
    trap - EXIT
    apart="nohup"
    command -v setsid >/dev/null 2>&1 && apart=setsid
    $apart /bin/sh "$NUMBER/run" "$mask" "$directory" </dev/null >/dev/null 2>&1 &
    waited=0
    until [ -e "$NUMBER/started" ]; do
        waited=$((waited + 1))
        if [ "$waited" -ge 200 ]; then
            rm -rf "$NUMBER"
            exit 43
        fi
        sleep 0.05
    done
    /bin/sh "$NUMBER/poll" 0 0
    exit 0
}
main "$@"
