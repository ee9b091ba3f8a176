# Run a command in a container, for somebody who is attached to it.
# CONTAINER: its id; SESSION: what tells the command from all others there, where it is at no terminal. What comes first on
# stdin is the command, as shell words: they may hold secrets, and are told nowhere.
# needs: prelude own-streams

state=$(docker inspect -f '{{.State.Status}}' "$CONTAINER" 2>&1 </dev/null)
case $state in
running) ;;
created | restarting | removing | paused | exited | dead) refuse container "$state" ;;
*"o such "*) refuse container gone ;;
*) refuse engine "$state" ;;
esac
eval "set -- $(read_sent "$SIZE")"
[ -n "$TTY" ] || set -- -e "LADING_SESSION=$SESSION" "$CONTAINER" "$@"
[ -z "$TTY" ] || set -- "$TTY" "$CONTAINER" "$@"
begin_streams
exec docker exec -i "$@"
