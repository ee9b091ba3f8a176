# Start containers that have died, the words, by their ids. One that does not start is judged by who looks next.
# INTENT, RESULT, REFUSED: the lines of the journal, before and after.
# needs: prelude state-dir under-lease change heartbeat
# may need: engine-state-dir

find_state_dir
under_lease
begin_change "$INTENT"
docker start "$@" >/dev/null 2>&1
end_change "$(with_number "$RESULT" rc $?)"
finish
