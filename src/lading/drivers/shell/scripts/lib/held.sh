# What the controller does meanwhile, by the engine's API, goes on only as long as it is heard here.
# CHANGES: see under_lease.
# needs: prelude heartbeat

# answer_beats: until stdin ends, half a minute passes without a byte, or the lease is not ours any
# more. is_done: 1 = stdin has ended, so the controller is done.
# What listened before hush, in renew_while_alive, may take a byte with it that nobody answers, for
# 5 s: so where none comes in that time, it is answered all the same, once.
answer_beats() {
    exec 3<&0
    is_done=
    silence=30
    [ "$CHANGES" != 1 ] || silence=6
    while next_byte "$silence"; do
        if [ -n "$byte" ]; then
            beat || break
        else
            [ "$silence" = 6 ] || break
            answer_byte
        fi
        silence=30
    done
    [ "$heard" != 0 ] || [ -n "$byte" ] || is_done=1
}

# hold_for_controller: tell it that the lock is held, until it is done
hold_for_controller() {
    part held
    part next
    answer_beats
}
