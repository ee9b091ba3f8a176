# The engine goes on with what it was told after whoever told it is gone.
# GRACE: seconds that the containers need to stop.
# needs: prelude acquire-lease half-made

list_states() {
    docker ps -a --no-trunc --filter "$of_app" --format '{{.ID}} {{.Names}} {{.State}}' | sort
}

# wait_quiet: after a holder that is gone, until two looks at the app's containers are equal; then what it left is removed
wait_quiet() {
    if held_by_another; then
        looks=0
        before=
        after=$(list_states)
        while [ "$before" != "$after" ] && [ "$looks" -lt 6 ]; do
            before=$after
            sleep "$GRACE"
            after=$(list_states)
            looks=$((looks + 1))
        done
    fi
    remove_hooks
    settle_half_made
}

# remove_hooks: the containers and networks of hooks of any deployment of the app
remove_hooks() {
    docker ps -a --no-trunc \
        --format '{{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.oneoff"}}' |
        while read -r id project one_off; do
            case "$one_off $project" in
            "True $APP"-hook-*)
                docker rm -f "$id" >/dev/null
                docker network prune -f --filter "label=com.docker.compose.project=$project" >/dev/null
                ;;
            esac
        done
}
