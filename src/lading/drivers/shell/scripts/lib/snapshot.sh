# The app's containers as they are now, and whenever that may have changed.
# needs: prelude container-format

list_ids() {
    ids=$(timeout 30 docker ps -aq --no-trunc --filter "$of_app")
}

inspect_ids() {
    # shellcheck disable=SC2086 # ids
    [ -z "$ids" ] || timeout 30 docker container inspect --format "$container_format" $ids 2>/dev/null
}

# snapshot: the containers of ids, which are listed anew if they are none or not all there any more. A part is whole once
# another begins: `next` lets the tick be read at once. An engine that does not answer tells nothing: that is no tick, and
# never "there are no containers".
snapshot() {
    [ -n "$ids" ] || list_ids || return 0
    inspected=$(inspect_ids) || { list_ids && inspected=$(inspect_ids); } || return 0
    part containers
    printf '%s\n' "$inspected"
    part tick
    part next
}

# tell_ticks: a line each second, and for each event of a container, until stdin ends. The engine is not asked to choose
# the events: 20.10 knows no filter that finds "health_status: healthy" by what it is called.
tell_ticks() {
    docker events --filter type=container --filter "$of_app" --format '{{.Action}}' 3<&- 2>/dev/null &
    events=$!
    while :; do
        printf 'tick\n'
        timeout 1 cat <&3 >/dev/null 2>&1 && break
    done
    kill $events 2>/dev/null
}

# watch_containers: a snapshot each second, and whenever a container ends or tells of its health, until stdin ends
watch_containers() {
    exec 3<&0
    looks=0
    ids=
    tell_ticks 9>&- | while read -r action; do
        case $action in
        tick | die | health_status*)
            [ $((looks % 4)) != 0 ] || ids=
            looks=$((looks + 1))
            snapshot
            ;;
        esac
    done
}
