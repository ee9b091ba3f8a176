# What the controller does meanwhile, by the engine's API, goes on only as long as it is heard here.
# needs: prelude heartbeat

# answer_beats: until stdin ends, half a minute passes without a byte, or the lease is not ours any
# more. is_done: 1 = stdin has ended, so the controller is done
answer_beats() {
    exec 3<&0
    is_done=
    while next_byte 30 && [ -n "$byte" ] && beat; do :; done
    [ "$heard" != 0 ] || [ -n "$byte" ] || is_done=1
}

# hold_for_controller: tell it that the lock is held, until it is done
hold_for_controller() {
    part held
    part next
    answer_beats
}
