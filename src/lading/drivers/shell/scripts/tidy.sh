# Remove what the release no longer has: containers, the words, by their ids; networks by name; never a volume.
# INTENT: the line of the journal; NETWORKS: a line each; STOP: services that Compose stops first.
# needs: prelude state-dir lease under-lease each-line
# may need: engine-state-dir remove-network stop-services

find_state_dir
under_lease
journal_or_refuse "$INTENT"
[ -z "$STOP" ] || stop_services
[ $# = 0 ] || docker rm -f "$@" >/dev/null || refuse remove "a container stayed"
each_line remove_network "$NETWORKS"
finish
