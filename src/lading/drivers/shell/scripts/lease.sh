# Take the lease and its fence, note that the deployment begins, as BEGIN, and look again. The words: what is mounted of
# the host.
# needs: prelude engine-state-dir acquire-lease wait-quiet end-with-stdin look facts
# may need: links

find_state_dir
acquire_lease
wait_quiet
part fence
printf '%s\n' "$FENCE"
journal_append "$BEGIN" || refuse state "cannot write the journal in $app_dir"
exec 9>&-
end_with_stdin
look "$@"
finish
