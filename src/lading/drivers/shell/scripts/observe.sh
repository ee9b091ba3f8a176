# Look at one app, or at all of lading's, and change nothing. The words: what is mounted of the host.
# PROBE, REGISTRIES: asked for if they are not empty.
# needs: prelude end-with-stdin engine-state-dir look
# may need: facts links volumes probe registries engine-socket

end_with_stdin
find_state_dir
look "$@"
[ "$ENGINE" = 0 ] || tell_socket
[ -z "$PROBE" ] || tell_probe
[ -z "$REGISTRIES" ] || tell_registries
finish
