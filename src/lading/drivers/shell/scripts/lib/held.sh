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

# tell_held: from now on the controller may have the engine change something
tell_held() {
    held=1
    part held
    part next
}

# hold_for_controller: tell it that the lock is held, until it is done
hold_for_controller() {
    tell_held
    answer_beats
    held=
}

# wait_for_word: until the controller says that it has done what it wanted. The end of stdin does not say so: it may be
# that of the controller.
wait_for_word() {
    exec 3<&0
    byte=
    while next_byte 30 && [ -n "$byte" ]; do
        [ "$byte" != + ] || break
        beat || break
    done
    held=
    [ "$byte" = + ] || refuse silent "the controller has not said that all is done"
}

# outlast_controller: who refuses with the lock in its hand first lets what is on its way to the engine come to its end
outlast_controller() {
    held=
    timeout 30 cat >/dev/null
}
