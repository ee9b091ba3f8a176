# Stand by while run.sh runs a service once: when that has ended, or nobody listens any more, nothing of it stays.
# PROJECT: its throw-away one.
# needs: prelude state-dir heartbeat beside-app
# may need: engine-state-dir

# clean_up: where its file is still there it was cut off, and the engine may have been about to start it
clean_up() {
    trap '' HUP TERM PIPE
    remove_one_offs
    if [ -e "$overlay" ]; then
        sleep 1
        remove_one_offs
    fi
    rm -f "$overlay"
    remove_networks
}

find_state_dir
project=$PROJECT
overlay=$app_dir/$project.yaml
trap 'clean_up; exit 1' HUP TERM
exec 3<&0
part ready
part next
while next_byte 30 && [ -n "$byte" ]; do
    answer_byte
done
clean_up
finish
