# The engine goes on with what it was told after whoever told it is gone.
# GRACE: seconds that the containers need to stop.
# needs: prelude half-made

list_states() {
    docker ps -a --no-trunc --filter "$of_app" --format '{{.ID}} {{.Names}} {{.State}}' | sort
}

# wait_quiet: until two looks at the app's containers are equal, with as much time between them as a container needs to stop
wait_quiet() {
    looks=0
    before=
    after=$(list_states)
    while [ "$before" != "$after" ] && [ "$looks" -lt 6 ]; do
        before=$after
        sleep "$GRACE"
        after=$(list_states)
        looks=$((looks + 1))
    done
    settle_half_made
}

# remove_hooks: the containers and networks of hooks of any deployment of the app
remove_hooks() {
    docker ps -a --no-trunc \
        --format '{{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.oneoff"}}' |
        while read -r id in_project one_off; do
            case "$one_off $in_project" in
            "True $APP"-hook-*)
                docker rm -f "$id" >/dev/null
                docker network prune -f --filter "label=com.docker.compose.project=$in_project" >/dev/null
                ;;
            esac
        done
}
