# Compose for one release, in a clean environment of our own.
# COMPOSE: what comes before the words of a call, a word a line: variables, the program, its options; @/ is app_dir.
# needs: plugin

# compose WORD…: as `by` calls it, else in_time. What steers docker's client elsewhere in a script steers it here, too, so that
# both speak with one engine.
compose() {
    words=$#
    set -- "$@" "PATH=$PATH" "HOME=$HOME" ${DOCKER_HOST:+"DOCKER_HOST=$DOCKER_HOST"} \
        ${DOCKER_CONFIG:+"DOCKER_CONFIG=$DOCKER_CONFIG"} ${DOCKER_CONTEXT:+"DOCKER_CONTEXT=$DOCKER_CONTEXT"} \
        "LADING_DIR=$app_dir"
    find_plugin
    [ -z "$plugin" ] || set -- "$@" "$as_plugin"
    program=${plugin:-docker}
    while IFS= read -r word; do
        case $word in
        @/*) word=$app_dir${word#@} ;;
        docker)
            word=$program
            program=docker # what is called so behind the program is an option
            ;;
        esac
        set -- "$@" "$word"
    done <<COMPOSE
$COMPOSE
COMPOSE
    while [ "$words" -gt 0 ]; do
        set -- "$@" "$1"
        shift
        words=$((words - 1))
    done
    "${by:-in_time}" env -i "$@"
}

# in_time COMMAND…: in LIMIT seconds at most. What Compose would ask is about data, and nobody is there to answer.
in_time() {
    timeout -k 10 "${LIMIT:-900}" "$@" </dev/null
}

# in_person COMMAND…: somebody is attached to it
in_person() {
    "$@"
}
