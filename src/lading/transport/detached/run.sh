# Run a command between FIFOs in the folder where this file lies, and store what it writes in pieces.
# LINE: the command; SILENCE: seconds without a poll after which its stdin ends and its output is dropped; TICKS: after so
# many looks a byte follows its input, 0 = never; HOME_DIR: the session's folder, which goes with the last command.
# The words: the umask and the folder that it runs in.

work=${0%/*}

# store_pieces NAME: of at most 64 KiB, stdin of this; 64 of them wait for their reader
store_pieces() {
    number=0
    while dd bs=65536 count=1 of="$work/$1.new" && [ -s "$work/$1.new" ]; do
        [ ! -e "$work/gone" ] || continue
        mv "$work/$1.new" "$work/$1.$number"
        number=$((number + 1))
        while [ -e "$work/$1.$((number - 64))" ] && [ ! -e "$work/gone" ]; do
            sleep 0.1
        done
    done
    true >"$work/$1.eof"
}

# feed: the input, whose end is a file, and a byte now and then, but only if somebody has polled since the last one
feed() {
    rm -f "$work/input"
    cat
    polled=
    looks=0
    while [ -d "$work" ] && [ ! -e "$work/eof" ]; do
        sleep 0.2
        looks=$((looks + 1))
        [ "$TICKS" = 0 ] || [ "$looks" -lt "$TICKS" ] || pass_beat
    done
}

pass_beat() {
    read -r beat <"$work/beat" || return 0
    [ "$beat" != "$polled" ] || return 0
    polled=$beat
    looks=0
    printf .
}

# watch_polls: as long as somebody polls, beat changes; in the end all of it goes
watch_polls() {
    before=
    silent=0
    while
        sleep 1
        [ -d "$work" ]
    do
        beat=
        read -r beat <"$work/beat"
        silent=$((silent + 1))
        [ "$beat" = "$before" ] || silent=0
        before=$beat
        if [ "$silent" -ge "$SILENCE" ]; then
            true >"$work/gone"
            true >"$work/eof"
        fi
        if [ -e "$work/gone" ] && [ -e "$work/status" ]; then
            rm -rf "$work"
            cd / || break
            rmdir "$HOME_DIR"
            break
        fi
    done
}

mkfifo "$work/i" "$work/o" "$work/e" || exit 1
store_pieces o <"$work/o" &
store_pieces e <"$work/e" &
feed <"$work/input" >"$work/i" &
watch_polls &
true >"$work/started"
(
    cd "$2" || cd / || exit
    umask "$1"
    eval "$LINE"
) <"$work/i" >"$work/o" 2>"$work/e"
echo $? >"$work/status.new"
mv "$work/status.new" "$work/status"
true >"$work/eof"
