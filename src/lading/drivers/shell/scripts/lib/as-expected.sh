# Between a verdict and what follows from it lie the other hosts, and whoever else works on this one.
# EXPECTED: how the app's containers were when they were judged, a line for each: ID STATUS EXIT_CODE RESTARTS HEALTH, sorted;
# "unknown" = nobody knows; "any" = however they are. One-offs do not count.
# needs: prelude container-format

# By its Id Docker's client is led to the raw JSON, where a field that is not there is an error unless it is asked for by `index`.
# What Compose makes beside a service's own containers, as for `pre_start`, has no number, and does not count either.
expected_format='{{if and (ne (print (index .Config.Labels "com.docker.compose.oneoff")) "True")'
expected_format=$expected_format' (or (index .Config.Labels "com.docker.compose.container-number")'
expected_format=$expected_format' (index .Config.Labels "lading.app"))}}= {{.Id}} {{.State.Status}}'
expected_format=$expected_format' {{.State.ExitCode}} {{.RestartCount}} {{with index .State "Health"}}'
expected_format=$expected_format'{{index . "Status"}}{{end}}{{end}}'

# inspect_app: containers; fails if the engine does not answer
inspect_app() {
    containers=
    ids=$(docker ps -aq --no-trunc --filter "$of_app" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # ids
    [ -z "$ids" ] || containers=$(docker container inspect --format "$expected_format$newline$container_format" $ids 2>/dev/null)
}

# is_as_expected: else containers are what is there. An engine that starts again has half a minute.
is_as_expected() {
    [ "$EXPECTED" != any ] || return 0
    tries=0
    until inspect_app; do
        [ "$tries" -lt 30 ] || refuse engine "$(docker ps -q 2>&1 >/dev/null)"
        tries=$((tries + 1))
        sleep 1
    done
    found=$(printf '%s\n' "$containers" | sed -n 's/^= //p' | sort)
    [ "$found" = "$EXPECTED" ]
}

# tell_containers: as they are
tell_containers() {
    part containers
    printf '%s\n' "$containers" | sed '/^= /d'
}
