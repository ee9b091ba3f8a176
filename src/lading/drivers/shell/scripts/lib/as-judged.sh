# Between a service's verdict and the commit lie the other batches, and whoever else works on the host.
# JUDGED: a line for each service: SERVICE CONTENT REPLICAS FRESH MAY_END SECRETS. FRESH = 1: it was just started, so that
# a restart of its own is a crash; MAY_END = 1: an end with code 0 is good, too.
# needs: prelude

# Service, whether it is a one-off, content, secrets, state/health=code of an end, restarts
judged_format='{{index .Config.Labels "com.docker.compose.service"}} {{index .Config.Labels "com.docker.compose.oneoff"}}'
judged_format=$judged_format' {{index .Config.Labels "lading.content"}} {{index .Config.Labels "lading.secrets"}}'
judged_format=$judged_format' {{.State.Status}}{{with .State.Health}}/{{.Status}}{{end}}'
judged_format=$judged_format'{{if eq .State.Status "exited"}}={{.State.ExitCode}}{{end}} {{.RestartCount}}'

# inspect_services: containers, a line each; or why there are none, as away
inspect_services() {
    containers=
    away=
    ids=$(docker ps -aq --no-trunc --filter "$of_app" 2>/dev/null) || away="the engine does not answer"
    # shellcheck disable=SC2086 # ids
    [ -z "$ids" ] || containers=$(docker container inspect --format "$judged_format" $ids 2>/dev/null)
}

# is_starting: the engine is away, or starts containers again; that has half a minute
is_starting() {
    case $away/$containers in
    /*" running/starting "*) return 0 ;;
    /*) return 1 ;;
    esac
}

# check_service SERVICE CONTENT REPLICAS FRESH MAY_END SECRETS: all its containers are good, and there are enough
check_service() {
    found=0
    IFS=$newline
    for container in $containers; do
        case $container in
        "$1 False $2 $6 "*) ;;
        *) continue ;;
        esac
        found=$((found + 1))
        condition=${container#"$1 False $2 $6 "}
        case $condition in
        "running 0" | "running/healthy 0") ;;
        "running "* | "running/healthy "*) [ "$4" = 0 ] || refuse changed "$1" "it restarts" ;;
        "exited=0 "*) [ "$5" = 1 ] || refuse changed "$1" "it has ended" ;;
        *)
            condition=${condition% *}
            condition=${condition%=*}
            refuse changed "$1" "it is ${condition#running/}"
            ;;
        esac
    done
    unset IFS
    [ "$found" -ge "$3" ] || refuse changed "$1" "$away"
}

check_as_judged() {
    inspect_services
    tries=0
    while is_starting && [ "$tries" -lt 30 ]; do
        tries=$((tries + 1))
        sleep 1
        inspect_services
    done
    while read -r service content replicas fresh may_end secrets; do
        check_service "$service" "$content" "$replicas" "$fresh" "$may_end" "$secrets"
    done <<JUDGED
$JUDGED
JUDGED
}
