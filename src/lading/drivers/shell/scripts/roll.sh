# Bring up exactly the services that are the words, and show how their containers do until stdin ends.
# INTENT, RESULT: the lines of the journal, before and after; SURPLUS: ids of containers above a service's replicas, which go
# before Compose would choose some by their number; NETWORKS: those that change; WHOLE: 1 = all of the app is stopped first;
# ANEW: 1 = Compose makes all of the services anew; HAD, AGAIN: see lib/anonymous.sh. Volumes are never touched.
# needs: prelude state-dir lease under-lease each-line compose snapshot strangers
# may need: engine-state-dir take-down anonymous

# remove_surplus ID
remove_surplus() {
    docker rm -f "$1" >/dev/null 2>&1 || ! docker container inspect "$1" >/dev/null 2>&1 ||
        refuse remove "container $1 stays"
}

# bring_up SERVICE…: what Compose said as output, how it ended as status
bring_up() {
    [ "$ANEW" = 0 ] || set -- --force-recreate "$@"
    set -- up -d --no-deps --no-build --pull never --quiet-pull "$@"
    if [ -n "$AGAIN" ] && write_again; then
        set -- -f "$app_dir/again.yaml" "$@"
    fi
    output=$(compose "$@" 2>&1) || status=$?
    [ -z "$AGAIN" ] || rm -f "$app_dir/again.yaml"
}

find_state_dir
under_lease
journal_or_refuse "$INTENT"
[ -z "$HAD" ] || note_anonymous
each_line remove_surplus "$SURPLUS"
[ "$WHOLE" = 0 ] || stop_app
each_line take_down_network "$NETWORKS"
status=0
output=
[ $# = 0 ] || bring_up "$@"
journal_result "$status"
attach_strangers
part up
printf '%s\n' "$status"
printf '%s\n' "$output" | tail -n 20
watch_containers
finish
