# Ask the host's engine what images are in their registries, all at once.
# PATIENCE: seconds that it may take; the words: SIZE IMAGE for each question, of so many bytes of stdin; IMAGE "" or one by
# digest, of which nothing is asked if it is there.
#
# `docker system dial-stdio` is the client's own way to its engine's API, whatever socket or address that has. It is given a
# pipe that stays open: an engine gives a question up when its end is closed. The question, with the login in it, is in that
# pipe only.
# needs: prelude end-with-stdin

folder=
here=
asked=

clean_up() {
    [ -z "$folder" ] || rm -rf "$folder"
}

make_folder() {
    for parent in /dev/shm "${XDG_RUNTIME_DIR:-/nowhere}" /tmp; do
        [ -w "$parent" ] || continue
        folder=$(mktemp -d "$parent/lading-ask.XXXXXX" 2>/dev/null) && return 0
    done
    refuse state "no folder for a pipe to the engine (/dev/shm, /tmp)"
}

# ask NUMBER SIZE IMAGE
ask() {
    if [ -n "$3" ] && docker image inspect "$3" </dev/null >/dev/null 2>&1; then
        head -c "$2" >/dev/null
        here="$here $1"
        return 0
    fi
    mkfifo "$folder/question$1" || refuse state "cannot make a pipe in $folder"
    exec 4<>"$folder/question$1"
    rm -f "$folder/question$1"
    timeout "$PATIENCE" docker system dial-stdio <&4 >"$folder/answer$1" 2>"$folder/error$1" &
    asked="$asked $!"
    head -c "$2" >&4
    exec 4>&-
}

tell_answers() {
    for pid in $asked; do
        wait "$pid"
    done
    for number in $here; do
        part "here$number"
    done
    for file in "$folder"/answer*; do
        [ -f "$file" ] || continue
        number=${file##*/answer}
        part "answer$number"
        head -c 262144 "$file"
        part "error$number"
        tail -n 1 "$folder/error$number" | head -c 1000
    done
}

trap clean_up EXIT
trap 'clean_up; exit 143' TERM INT HUP
make_folder
number=0
while [ $# -gt 0 ]; do
    ask "$number" "$1" "$2"
    number=$((number + 1))
    shift 2
done
end_with_stdin
tell_answers
finish
