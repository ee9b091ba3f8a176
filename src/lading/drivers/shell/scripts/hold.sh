# Hold the app's lock while the controller has the engine change what is no container: none of that
# outlives this script.
# needs: prelude state-dir under-lease held
# may need: engine-state-dir

find_state_dir
under_lease
hold_for_controller
[ -n "$is_done" ] || refuse silent "the controller was not heard for half a minute"
finish
