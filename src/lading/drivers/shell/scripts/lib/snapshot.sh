# The app's containers as they are now, and whenever that may have changed.
# needs: prelude container-format heartbeat

list_ids() {
    ids=$(timeout 30 docker ps -aq --no-trunc --filter "$of_app")
}

inspect_ids() {
    # shellcheck disable=SC2086 # ids
    [ -z "$ids" ] || timeout 30 docker container inspect --format "$container_format" $ids 2>/dev/null
}

# say WORD…: a command whose output no other comes into the middle of
say() {
    {
        flock 7
        "$@"
    } 7>>"$app_dir/answer.$$"
}

# snapshot: the containers of ids, which are listed anew if they are none or not all there any more. An engine that does not
# answer tells nothing: that is no tick, and never "there are no containers".
snapshot() {
    [ -n "$ids" ] || list_ids || return 0
    inspected=$(inspect_ids) || { list_ids && inspected=$(inspect_ids); } || return 0
    say tell_snapshot
}

# tell_snapshot: a part is whole once another begins; `next` lets the tick be read at once
tell_snapshot() {
    part containers
    printf '%s\n' "$inspected"
    part tick
    part next
}

# tell_ticks: a line each second, and for each event of a container that ends or tells of its health, until stdin ends, half
# a minute is without a byte, or somebody else has the lease.
tell_ticks() {
    docker events --filter type=container --filter event=die --filter event=health_status --filter "$of_app" --format '{{.Action}}' 3<&- 4>&- 2>/dev/null &
    events=$!
    silent=0
    while [ "$silent" -lt 30 ]; do
        printf 'tick\n'
        next_byte 1 || break
        silent=$((silent + 1))
        [ -n "$byte" ] || continue
        silent=0
        say beat >&4 || break
    done
    kill $events 2>/dev/null
    printf 'over\n'
}

# watch_containers: a snapshot each second, and whenever a container ends or tells of its health. Nobody but the controller
# renews the lease meanwhile.
watch_containers() {
    exec 3<&0 4>&1
    looks=0
    ids=
    tell_ticks | while read -r action; do
        case $action in
        tick | die | health_status*)
            [ $((looks % 4)) != 0 ] || ids=
            looks=$((looks + 1))
            snapshot
            ;;
        over) break ;;
        esac
    done
    rm -f "$app_dir/answer.$$"
}
