# Compose for one release, in a clean environment of our own.
# COMPOSE: what comes before the words of a call, a word a line: variables, the program, its options; @/ is app_dir.

# compose WORD…: in LIMIT seconds at most. What Compose would ask is about data, and nobody is there to answer.
compose() {
    words=$#
    set -- "$@" "PATH=$PATH" "HOME=$HOME" ${DOCKER_HOST:+"DOCKER_HOST=$DOCKER_HOST"} "LADING_DIR=$app_dir"
    while IFS= read -r word; do
        case $word in
        @/*) word=$app_dir${word#@} ;;
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
    timeout -k 10 "${LIMIT:-900}" env -i "$@" </dev/null
}
