# The last COUNT lines of each container of some services, the words.
# needs: prelude end-with-stdin

end_with_stdin
for service; do
    part "log:$service"
    for id in $(docker ps -aq --filter "$of_app" --filter "label=com.docker.compose.service=$service"); do
        docker logs --tail "$COUNT" "$id" 2>&1 </dev/null
    done
done
finish
