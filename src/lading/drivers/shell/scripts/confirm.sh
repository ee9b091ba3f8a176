# Whether the lease is still ours, and in which phase the deployment is; its controller lives.
# needs: prelude state-dir under-lease
# may need: engine-state-dir

find_state_dir
check_lease 1
part phase
printf '%s\n' "$phase"
finish
