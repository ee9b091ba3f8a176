# The app's log lines as they come, each a part of its own: SERVICE-NUMBER | TIME TEXT.
# SERVICE: of this one alone, or ""; TAIL: how many lines of each container to begin with, or "all"; SINCE: none older than that,
# as docker takes it, or ""; FOLLOW: "-f" = until stdin ends.
#
# One follower for each container, for `docker logs -f` ends when its container stops, and so does `compose logs -f`. After
# a restart it goes on from the last line that it showed, which `--since` gives once more, and not from the start that Docker
# tells: that lies after the first lines, and a crash loop starts more often than anybody looks. Docker's own lines have no
# time.
# needs: prelude end-with-stdin

stamp='[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T'
run_format='{{.State.StartedAt}}@{{.State.FinishedAt}}'
name_format='{{index .Config.Labels "com.docker.compose.service"}}'
name_format=$name_format'-{{index .Config.Labels "com.docker.compose.container-number"}}'

# show_lines: what `docker logs` says, on fd 4; the time of the last line on stdout
show_lines() {
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
        "${shown:-none} "* | Error*"o such container: $id"*) continue ;;
        $stamp*) last=${line%% *} ;;
        esac
        printf '%s | %s\n' "$name" "$line" >&4
    done
    printf %s "$last"
}

# await_run: until the container has started again, as run; fails if it is gone
await_run() {
    while :; do
        now=$(docker inspect -f "$run_format" "$id" 2>&1 </dev/null)
        case $now in
        "$run") ;;
        *"o such "*) return 1 ;;
        [0-9]*) break ;;
        esac
        sleep 1
    done
    run=$now
}

# follow OPTION…: of the container id, called name, in its run
follow() {
    last=
    if [ "$*" = "--tail 0" ]; then
        set --
        last=$(docker logs --timestamps --tail 1 "$id" 2>&1 </dev/null)
        case $last in
        $stamp*)
            last=${last%% *}
            set -- --since "$last"
            ;;
        *) last= ;;
        esac
    fi
    while :; do
        shown=$last
        # shellcheck disable=SC2086 # an option, or none
        last=$(docker logs $FOLLOW --timestamps "$@" "$id" 2>&1 </dev/null | show_lines)
        [ -n "$FOLLOW" ] || return
        await_run || return
        set --
        [ -z "$last" ] || set -- --since "$last"
    done
}

list_containers() {
    docker ps -aq --no-trunc --filter "$of_app" \
        ${SERVICE:+--filter "label=com.docker.compose.service=$SERVICE"}
}

# follow_all: each container, also those that come; a line MARKER if the engine does not answer
follow_all() {
    known=" "
    exec 4>&1
    set -- --tail "$TAIL" ${SINCE:+--since "$SINCE"}
    while :; do
        ids=$(list_containers) || [ -n "$FOLLOW" ] || printf '%s\n' "$MARKER" >&4
        new=
        for id in $ids; do
            case $known in
            *" $id "*) ;;
            *) new="$new $id" ;;
            esac
        done
        [ -z "$new" ] || start_followers "$@"
        [ -n "$FOLLOW" ] || break
        set --
        sleep 1
    done
    wait
}

# start_followers OPTION…: of the containers new
start_followers() {
    # shellcheck disable=SC2086 # ids
    for one in $(docker inspect -f "{{.Id}}@$run_format@$name_format" $new 2>/dev/null); do
        id=${one%%@*}
        name=${one##*@}
        run=${one#*@}
        run=${run%@*}
        known="$known$id "
        follow "$@" &
    done
}

end_with_stdin
follow_all | while IFS= read -r line; do
    [ "$line" != "$MARKER" ] || refuse engine "$(docker ps -q 2>&1 >/dev/null)"
    part log
    printf '%s\n' "$line"
    part tick
done
finish
