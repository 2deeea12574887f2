#!/usr/bin/env bash
# make clean: stops what `make up` started and removes all that these targets made: servers, data, builds.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"
source "$here/stack.sh"

"$here/down.sh"
folders=("$var")
[[ -n ${STACK_VAR:-} ]] || folders+=("$target/test-servers" "$target")
for folder in "${folders[@]}"; do
    rm -rf "$(other_place "$folder")" "$folder"
done
echo "removed: ${folders[*]}"
