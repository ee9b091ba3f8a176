# What is on a host.
# APP: one app, or "" for all of lading's; FILTER: its containers by label; WHOSE: by a pattern of PROJECT APP.
# HOST: what the host is called, or ""; ENGINE: 1 = the controller asks the engine itself, and docker's client is not started.
# needs: prelude state-dir engine app-state container-format state-mark
# may need: facts links volumes

# tell_apps: one app, and whose the others are: one of the same source under another name is the same app
tell_apps() {
    cd "$state_dir/apps" 2>/dev/null || return 0
    if [ -n "$APP" ]; then
        if is_app "$APP" && [ -d "$APP" ]; then
            tell_states "$APP"
            tell_busy "$APP"
        fi
        part others
        cat -- */current 2>/dev/null
        return 0
    fi
    set --
    for folder in */; do
        ! is_app "${folder%/}" || set -- "$@" "${folder%/}"
    done
    [ $# = 0 ] || tell_states "$@"
}

# tell_silence: what an engine that does not answer says, if it says something
tell_silence() {
    said=$(docker ps -q 2>&1 >/dev/null)
    part silent
    printf '%s\n' "${said:-the engine does not answer}"
}

# list_containers: ids, from what tell_facts has listed if it has
list_containers() {
    if [ -n "${listed:-}" ]; then
        ids=$(printf '%s\n' "$listed" | sed -n "s/^c=\([0-9a-f]*\) $WHOSE\$/\1/p")
    elif ! ids=$(docker ps -aq --no-trunc --filter "label=$FILTER" 2>/dev/null); then
        tell_silence
        part containers
    fi
}

# list_adopted: the containers of adopted apps have no label of lading's
list_adopted() {
    # shellcheck disable=SC2013 # no app's name has a space in it
    for file in $(grep -sl '"adopted":' "$state_dir"/apps/*/current); do
        folder=${file%/current}
        ids="$ids $(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=${folder##*/}")"
    done
    # shellcheck disable=SC2086 # ids
    ids=$(printf '%s\n' $ids | sort -u)
}

# tell_engine: which one it is, where a journal may be another host's: to ask it always would double what a look costs
tell_engine() {
    part facts
    printf 'state=%s
' "$state_dir"
    [ -n "${begun_elsewhere:-}" ] || return 0
    if [ "$ENGINE" = 1 ]; then
        part engine-id
        return
    fi
    ask_engine
    info_value id
    printf 'id=%s\n' "$value"
}

tell_containers() {
    part containers
    list_containers
    [ -n "$APP" ] || list_adopted
    [ -n "$ids" ] || return 0
    # shellcheck disable=SC2086 # ids
    docker container inspect --format "$container_format" $ids 2>/dev/null && return 0
    said=$(docker ps -q 2>&1 >/dev/null) && return 0 # one of them has gone in the meantime
    part silent
    printf '%s\n' "${said:-the engine does not answer}"
}

# look SOURCE…: in few packets, for each costs at both ends; FACTS, VOLUMES: 1 = of the host and its volumes, too
look() {
    {
        [ "$FACTS" = 0 ] || tell_facts
        [ $# = 0 ] || tell_links "$@"
        tell_apps
        [ "$FACTS" = 1 ] || tell_engine
        [ "$ENGINE" = 1 ] || tell_containers
        tell_marks
        [ "$VOLUMES" = 0 ] || tell_volumes
    } | dd ibs=65536 obs=65536 2>/dev/null
}
