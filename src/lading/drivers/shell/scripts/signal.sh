# Send a signal to what somebody is attached to without a terminal: docker's client passes none on to a command in a container.
# SIGNAL: its name; CONTAINER: where exec.sh has run it, with SESSION, which it and all that it starts has in its environment;
# without CONTAINER: to the container that run.sh has made as PROJECT.
# needs: prelude

# The image's own shell looks for the processes, as the user that it runs commands as.
# shellcheck disable=SC2016 # it is expanded there
in_container='found=1
for one in /proc/[0-9]*; do
    grep -q "LADING_SESSION=$1" "$one/environ" 2>/dev/null || continue
    kill -s "$2" "${one#/proc/}" && found=0
done
exit "$found"'

signal_container() {
    id=$(docker ps -q --filter "label=com.docker.compose.project=$PROJECT")
    # shellcheck disable=SC2086 # ids
    [ -n "$id" ] && docker kill --signal "$SIGNAL" $id
}

if [ -n "$CONTAINER" ]; then
    said=$(docker exec "$CONTAINER" sh -c "$in_container" sh "$SESSION" "$SIGNAL" 2>&1 </dev/null)
else
    said=$(signal_container 2>&1 </dev/null)
fi || refuse unsent "$said"
finish
