# Bring services up, step by step, and show how their containers do for as long as somebody looks.
# STEPS: a line for each, in order: stop SERVICE… = as Compose does; surplus ID = a container above a service's replicas goes,
# before Compose would choose one by its number; network NAME = it is made anew; up [--scale SERVICE=NUMBER…] SERVICE… ; anew,
# likewise = with new containers, also where Compose sees no reason. WHOLE: 1 = all of the app is stopped first. ROLLING, RESULT, REFUSED: the lines of the journal, before, after (with
# Compose's status, which is no verdict), and if it is refused halfway; WATCH: 0 = the controller watches the containers itself; HAD, AGAIN: see lib/anonymous.sh. Volumes are never
# touched.
# needs: prelude state-dir under-lease change each-line compose tell snapshot strangers held
# may need: engine-state-dir take-down anonymous

# remove_surplus ID: it has its grace
remove_surplus() {
    docker stop "$1" >/dev/null 2>&1
    docker rm -f "$1" >/dev/null 2>&1 || ! docker container inspect "$1" >/dev/null 2>&1 ||
        refuse remove "container $1 stays"
}

# bring_down SERVICE…: a hook that fails keeps nobody; what is still there goes as surplus
bring_down() {
    compose stop "$@" >/dev/null 2>&1
}

# bring_up OPTION… SERVICE…: what Compose said as output, how it ended as status; after a failure nothing more is brought up
bring_up() {
    [ "$status" = 0 ] || return 0
    set -- up -d --no-deps --no-build --pull never --quiet-pull "$@"
    if [ -n "$AGAIN" ] && write_again; then
        set -- -f "$app_dir/again.yaml" "$@"
    fi
    run_told compose 20 compose "$@"
    [ -z "$AGAIN" ] || rm -f "$app_dir/again.yaml"
}

# take_step LINE
take_step() {
    # shellcheck disable=SC2086 # words
    case $1 in
    "stop "*) bring_down ${1#* } ;;
    "surplus "*) remove_surplus "${1#* }" ;;
    "network "*) take_down_network "${1#* }" ;;
    "up "*) bring_up ${1#* } ;;
    "anew "*) bring_up --force-recreate ${1#* } ;;
    *) refuse state "unknown step: $1" ;;
    esac
}

find_state_dir
under_lease
begin_change "$ROLLING"
[ -z "$HAD" ] || note_anonymous
[ "$WHOLE" = 0 ] || stop_app
status=0
output=
each_line take_step "$STEPS"
attach_strangers
end_change "$(with_number "$RESULT" rc "$status")"
hush
rm -f "$app_dir/op.info"
exec 9>&-
part up
printf '%s\n' "$status"
printf '%s\n' "$output"
if [ "$WATCH" = 1 ]; then
    watch_containers
else
    part next
    answer_beats
fi
finish
