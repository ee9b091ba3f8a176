# Only Compose runs the `pre_stop` of a service, and only when it stops it.
# STOP: the services that have one, a word each. A hook that fails, or takes more than two minutes, keeps nobody.
# needs: compose

stop_services() {
    LIMIT=120
    # shellcheck disable=SC2086 # words
    compose stop $STOP >/dev/null 2>&1
}
