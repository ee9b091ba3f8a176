# The deployment is prepared, if the app's containers are as EXPECTED; else they are shown, to be judged.
# PREPARED: the line of the journal.
# needs: prelude state-dir under-lease as-expected heartbeat
# may need: engine-state-dir

find_state_dir
under_lease
if is_as_expected; then
    come_to prepared "$PREPARED"
    hush
    part prepared
else
    hush
    tell_containers
fi
finish
