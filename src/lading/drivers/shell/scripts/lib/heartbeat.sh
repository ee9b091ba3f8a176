# Who works renews the lease. What a controller sends while a command runs is a byte every ten seconds, which is answered at
# once: so both know that the other lives.
# needs: prelude lease

# next_byte SECONDS: what comes within that time, as byte; fails at the end of stdin. A byte that comes just as the time is
# over may be lost: dd is ended between reading and writing it.
next_byte() {
    byte=$(timeout "$1" dd bs=1 count=1 <&3 2>/dev/null)
    heard=$?
    [ -n "$byte" ] || [ "$heard" != 0 ]
}

# answer_byte: in one piece, for others write, too
answer_byte() {
    printf '\n%s beat\n' "$MARKER"
}

# beat: the controller lives, so the lease is renewed; fails if it is not ours any more
beat() {
    renew_lease 1 && answer_byte
}

# live_on_bytes ANSWER: all that this script runs ends with its stdin, or after half a minute without a byte, or when ANSWER,
# a function, fails
live_on_bytes() {
    exec 3<&0
    {
        while next_byte 30 && [ -n "$byte" ] && "$1"; do :; done
        kill -TERM 0
    } 8>&- 9>&- 2>/dev/null &
    watcher=$!
}

# renew_while_alive: until hush, or the end of this script, whatever becomes of its controller
renew_while_alive() {
    exec 3<&0
    renew_on_and_on 8>&- 9>&- 2>/dev/null &
    watcher=$!
}

renew_on_and_on() {
    wait_for=next_byte
    while kill -0 $$; do
        byte=
        "$wait_for" 5 || wait_for=wait_alone
        if [ -n "$byte" ]; then
            beat
        else
            renew_lease 0 && answer_lost_byte
        fi
    done
}

# answer_lost_byte: who listens is answered also where no byte is seen, for one may have been lost
answer_lost_byte() {
    [ "$wait_for" != next_byte ] || answer_byte
}

# wait_alone SECONDS: where nobody is listened to
wait_alone() {
    timeout "$1" tail -f /dev/null >/dev/null
    return 0
}
