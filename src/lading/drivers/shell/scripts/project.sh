# What `adopt` asks of a project: its containers, their images and its NETWORKS, a word each, as `docker inspect` shows them.
# needs: prelude end-with-stdin

end_with_stdin
part projects
docker ps -a --format '{{.Label "com.docker.compose.project"}}' | sort -u
ids=$(docker ps -aq --no-trunc --filter "$of_app")
[ -n "$ids" ] || finish
part containers
# shellcheck disable=SC2086 # ids
docker container inspect $ids
part images
# shellcheck disable=SC2046,SC2086 # ids
docker image inspect $(docker container inspect -f '{{.Image}}' $ids | sort -u) 2>/dev/null
part networks
# shellcheck disable=SC2086 # names
docker network inspect $NETWORKS 2>/dev/null
finish
