# Remove what the release no longer has; never a volume.
# STEPS: a line for each, in order: remove ID… = containers; network NAME. STOP: services that Compose stops first. INTENT,
# RESULT, REFUSED: the lines of the journal, before, after, and if it is refused halfway.
# needs: prelude state-dir under-lease change each-line heartbeat
# may need: engine-state-dir remove-network stop-services

# remove_networks NAME
remove_networks() {
    for network in $(network_ids "$1"); do
        remove_network "$network" "$1"
    done
}

# take_step LINE
take_step() {
    # shellcheck disable=SC2086 # ids
    case $1 in
    "remove "*) docker rm -f ${1#* } >/dev/null || refuse remove "a container stayed" ;;
    "network "*) remove_networks "${1#* }" ;;
    *) refuse state "unknown step: $1" ;;
    esac
}

find_state_dir
under_lease
begin_change "$INTENT"
[ -z "$STOP" ] || stop_services
each_line take_step "$STEPS"
end_change "$(with_number "$RESULT" rc 0)"
finish
